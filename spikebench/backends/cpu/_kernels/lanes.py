"""Vector instructions of a kernel, written one by one: arithmetic on a cache line at once, 16 numbers in float32 or 8 in float64.

A loop over series that numba compiles holds one step of one array at a time. Where a line stays in registers over
several steps, its random numbers, its sigmoid and its way to memory overlap, which loops one after another do not.

These functions run while numba compiles a kernel, inside an intrinsic (`primitives.primitive`). They compute nothing
themselves: each appends LLVM instructions to llvmlite's `builder`, and the kernel that runs later consists of these. So
Python's own `for` and `if` unroll a loop and select a variant once. What must loop or branch in the kernel is written
with `cgutils.for_range`, `builder.if_then` or `one_of`. `_advance` in `psu.py` is the shortest whole example.

`Lanes` is a vector. Its operators append one instruction each, and a Python number becomes a constant in every lane.
`Lines` is an array [T, M] that is read and written by whole lines. An instruction has `flags` that say what LLVM may
change about it: without any, each result is rounded, as PyTorch rounds, and CONTRACT allows a fused multiply-add.
A function that says "the bits of" another one repeats its operations in the same order with the same flags. A change of
one needs the same change of the other: tests/backends/test_cpu_kernels.py compares them bit by bit.
"""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from spikebench.backends.cpu._kernels import elementary as e
from spikebench.backends.cpu._kernels.primitives import LINE, ask
from spikebench.numerics import philox

Number = float | np.floating[Any]
CONTRACT = ("contract",)  # a product and a sum may be one fused multiply-add
RECIPROCAL = (*CONTRACT, "arcp", "ninf")  # and a division of finite numbers an estimate with a Newton step
FAR = 2.0**60  # from a threshold, in widths: what is farther has a slope of 0, and its square is finite
Made = TypeVar("Made")
Parts = Generator[None, None, Made]  # instructions in parts that others may stand between
INT32, INT64 = ir.IntType(32), ir.IntType(64)
NEVER = ir.IntType(1)(0)  # the condition that is false


def same(kind: Any, number: Number) -> Any:
    """A constant of a vector type: this number in every lane."""
    return ir.Constant(kind, [number] * kind.count)


class Lanes:
    """A vector of one line, or part of it; `flags` are those of every instruction made from it."""

    def __init__(self, builder: Any, value: Any, flags: Sequence[str] = ()) -> None:
        self.builder, self.value, self.flags = builder, value, flags

    @property
    def double(self) -> bool:
        """Whether the numbers are float64, and not float32."""
        return isinstance(self.value.type.element, ir.DoubleType)

    def flagged(self, flags: Sequence[str]) -> "Lanes":
        """The same numbers, with other flags from here on."""
        return Lanes(self.builder, self.value, flags)

    def _make(self, name: str, left: Any, right: Any) -> "Lanes":
        left, right = (v.value if isinstance(v, Lanes) else same(self.value.type, v) for v in (left, right))
        return Lanes(self.builder, getattr(self.builder, name)(left, right, flags=self.flags), self.flags)

    def __add__(self, other: "Lanes | Number") -> "Lanes":
        return self._make("fadd", self, other)

    def __sub__(self, other: "Lanes | Number") -> "Lanes":
        return self._make("fsub", self, other)

    def __rsub__(self, other: Number) -> "Lanes":
        return self._make("fsub", other, self)

    def __mul__(self, other: "Lanes | Number") -> "Lanes":
        return self._make("fmul", self, other)

    def __truediv__(self, other: "Lanes | Number") -> "Lanes":
        return self._make("fdiv", self, other)

    def __rtruediv__(self, other: Number) -> "Lanes":
        return self._make("fdiv", other, self)

    def __abs__(self) -> "Lanes":
        return self.chosen("<", 0.0, -self, self)

    def __neg__(self) -> "Lanes":
        return Lanes(self.builder, self.builder.fneg(self.value), self.flags)

    def chosen(self, sign: str, limit: "Lanes | Number", yes: "Lanes | Number", no: "Lanes | Number") -> "Lanes":
        """In every lane `yes` where it compares so with the limit, else `no`."""
        kind = self.value.type
        limit, yes, no = (v.value if isinstance(v, Lanes) else same(kind, v) for v in (limit, yes, no))
        where = self.builder.fcmp_ordered(sign, self.value, limit)
        return Lanes(self.builder, self.builder.select(where, yes, no), self.flags)

    def bits(self) -> Any:
        """The integers of the same bits."""
        whole = ir.VectorType(INT64 if self.double else INT32, self.value.type.count)
        return self.builder.bitcast(self.value, whole)


def splat(builder: Any, scalar: Any, count: int) -> Any:
    """A scalar in every lane."""
    kind = ir.VectorType(scalar.type, count)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, INT32(0))
    return builder.shuffle_vector(
        first, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(INT32, count), None)
    )


def _polynomial(x: Lanes, terms: Sequence[Number]) -> Lanes:
    """Σ terms_k·x^k by Horner's rule, for two terms or more."""
    total = x * terms[-1] + terms[-2]
    for term in reversed(terms[:-2]):
        total = x * total + term
    return total


def exp(y: Lanes) -> Lanes:
    """e^y, the bits of `elementary.exp`."""
    double = y.double
    most, log2e, magic = (e.MOST64, e.LOG2E64, e.MAGIC64) if double else (e.MOST32, e.LOG2E32, e.MAGIC32)
    high, low = (e.LN2_HIGH64, e.LN2_LOW64) if double else (e.LN2_HIGH32, e.LN2_LOW32)
    y = y.flagged(CONTRACT)
    y = y.chosen(">", most, most, y)
    y = y.chosen("<", -most, -most, y)
    shifted = y * log2e + magic
    n = shifted - magic
    r = (y - n * high) - n * low
    p = _polynomial(r, e.TERMS64 if double else e.TERMS32)
    b, exponent = y.builder, shifted.bits()
    places = same(exponent.type, 52 if double else 23)
    return Lanes(b, b.bitcast(b.add(p.bits(), b.shl(exponent, places)), y.value.type), CONTRACT)


def sigmoid(y: Lanes) -> Lanes:
    """1/(1 + e^−y), the bits of `elementary.sigmoid`."""
    return (1.0 / (exp(-y) + 1.0)).flagged(())


def log(y: Lanes) -> Lanes:
    """Natural logarithm of normal numbers y > 0, the bits of `elementary.log`."""
    b, double = y.builder, y.double
    high, low_part = (e.LN2_HIGH64, e.LN2_LOW64) if double else (e.LN2_HIGH32, e.LN2_LOW32)
    bits = y.bits()
    root, places = (
        same(bits.type, int(e.ROOT_HALF64 if double else e.ROOT_HALF32)),
        same(bits.type, 52 if double else 23),
    )
    exponent = b.ashr(b.sub(bits, root), places)
    m = Lanes(b, b.bitcast(b.sub(bits, b.shl(exponent, places)), y.value.type), CONTRACT)
    r = (m - 1.0) / (m + 1.0)
    q = r * r
    tail = _polynomial(q, e.ODD64 if double else e.ODD32)
    low = r * 2.0 * q * tail
    n = Lanes(b, b.sitofp(exponent, y.value.type), CONTRACT)
    return (n * high + (r * 2.0 + (low + n * low_part))).flagged(())


def logit(y: Lanes) -> Lanes:
    """log(y/(1 − y)), the bits of `elementary.logit`."""
    return log(y / (1.0 - y))


def _words(builder: Any, counters: Sequence[Any], keys: Any, site: Any, call: Any) -> Parts[list[tuple[Any, ...]]]:
    """Philox: the four words of the 64-bit counters of each vector, in the lower halves of 64-bit lanes; a part is a round."""

    def every(scalar: Any) -> Any:
        return splat(builder, scalar, counters[0].type.count)

    def product(word: Any, by: int) -> Any:
        return builder.mul(builder.and_(word, same(word.type, philox.MASK)), same(word.type, by))

    half = same(counters[0].type, 32)
    found = [(c, builder.lshr(c, half), every(site), every(call)) for c in counters]
    for number in range(10):
        key0, key1 = (
            every(builder.add(k, INT64(number * w))) for k, w in zip(keys, (philox.WEYL0, philox.WEYL1), strict=True)
        )
        for n, (c0, c1, c2, c3) in enumerate(found):
            p0, p1 = product(c0, philox.MUL0), product(c2, philox.MUL1)
            c0 = builder.xor(builder.xor(builder.lshr(p1, half), c1), key0)
            c2 = builder.xor(builder.xor(builder.lshr(p0, half), c3), key1)
            found[n] = c0, p1, c2, p0
        yield
    return found


def drawn(builder: Any, first: Any, keys: Any, site: Any, call: Any, kind: Any) -> Parts[list[Lanes]]:
    """Four steps of uniforms of the neighbouring series of one line, the first of which has this counter."""
    lanes = kind.count
    eight = ir.VectorType(INT64, 8)
    counters = [
        builder.add(splat(builder, first, 8), ir.Constant(eight, list(range(start, start + 8))))
        for start in range(0, lanes, 8)
    ]
    halves = yield from _words(builder, counters, keys, site, call)
    narrow = ir.VectorType(INT32, 16)
    found = []
    for parts in zip(*halves, strict=True):
        low = ir.Constant(ir.VectorType(INT32, lanes), list(range(0, 2 * lanes, 2)))  # the lower half of every lane
        whole = builder.shuffle_vector(*(builder.bitcast(part, narrow) for part in (parts[0], parts[-1])), low)
        top = builder.lshr(whole, same(whole.type, 8))
        single = builder.sitofp(top, ir.VectorType(ir.FloatType(), lanes))
        scaled = builder.fmul(single, same(single.type, 2.0**-24))
        found.append(Lanes(builder, builder.fpext(scaled, kind) if lanes == 8 else scaled))
        yield
    return found


def uniforms(builder: Any, first: Any, keys: Any, site: Any, call: Any, kind: Any) -> list[Lanes]:
    """The same at once."""
    return interleaved(drawn(builder, first, keys, site, call, kind))[0]


def fused(left: Lanes, right: Lanes, added: Lanes) -> Lanes:
    """left·right + added, rounded once, where the digits that a rounded product loses are wanted."""
    kind, b = left.value.type, left.builder
    name = f"llvm.fma.v{kind.count}f{64 if left.double else 32}"
    fma = cgutils.get_or_insert_function(b.module, ir.FunctionType(kind, [kind] * 3), name)
    return Lanes(b, b.call(fma, [left.value, right.value, added.value]), left.flags)


def logistic(values: Sequence[Lanes], gain: Lanes) -> Parts[list[Lanes]]:
    """1/(1 + e^(−gain·v)) of each vector, within two epsilons; a part is an instruction or two for each.

    2^t, t = −gain·v·log2(e), needs one multiplication less than e^y, and an estimate of the reciprocal with a Newton
    step, which LLVM takes for a division that may be one, two thirds less time than the division.
    """
    double, kind, b = gain.double, gain.value.type, gain.builder
    magic, most, terms = (e.MAGIC64, 1020.0, e.POWERS64) if double else (e.MAGIC32, 126.0, e.POWERS32)
    by, rest = (e.LOG2E64, e.LOG2E_REST64) if double else (e.LOG2E32, e.LOG2E_REST32)
    high, low = gain * -by, gain * -rest
    limit = most / high
    values = [v.flagged(CONTRACT) for v in values]
    values = [v.chosen("<", limit, limit, v) for v in values]
    values = [v.chosen(">", -limit, -limit, v) for v in values]
    yield
    shifted = [v * high + magic for v in values]
    yield
    whole = [s - magic for s in shifted]
    yield
    parts = [fused(v, high, -n) for v, n in zip(values, whole, strict=True)]
    yield
    parts = [v * low + r for v, r in zip(values, parts, strict=True)]
    yield
    totals = [r * terms[-1] + terms[-2] for r in parts]
    for term in reversed(terms[:-2]):
        yield
        totals = [r * total + term for r, total in zip(parts, totals, strict=True)]
    yield
    places = same(shifted[0].bits().type, 52 if double else 23)
    powers = [b.add(p.bits(), b.shl(s.bits(), places)) for p, s in zip(totals, shifted, strict=True)]
    yield
    below = [Lanes(b, b.bitcast(p, kind), RECIPROCAL) + 1.0 for p in powers]
    yield
    return [(1.0 / d).flagged(()) for d in below]


def interleaved(*parts: Parts[Any]) -> list[Any]:
    """What some parts return. Their instructions take turns, so that one waits while the processor does another."""
    found: dict[int, Any] = {}
    while len(found) < len(parts):
        for n, part in enumerate(parts):
            if n not in found:
                try:
                    next(part)
                except StopIteration as end:
                    found[n] = end.value
    return [found[n] for n in range(len(parts))]


class Lines:
    """The cache lines of an array [T, M]; a place is a step and a series, the first of a line. `flags` are those of what is loaded."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any, flags: Sequence[str] = ()) -> None:
        made = context.make_array(kind)(context, builder, value)
        item = made.data.type.pointee
        self.builder, self.data, self.width, self.flags = (
            builder,
            made.data,
            builder.extract_value(made.shape, 1),
            flags,
        )
        self.kind = ir.VectorType(item, LINE // context.get_abi_sizeof(item))

    def _pointer(self, t: Any, m: Any) -> Any:
        at = self.builder.add(self.builder.mul(t, self.width), m)
        return self.builder.bitcast(self.builder.gep(self.data, [at]), self.kind.as_pointer())

    def load(self, t: Any, m: Any) -> Lanes:
        return Lanes(self.builder, self.builder.load(self._pointer(t, m), align=LINE // self.kind.count), self.flags)

    def store(self, value: Lanes, t: Any, m: Any, streaming: Any) -> None:
        """Writes a line, past the caches if `streaming`, a condition; then it must begin where a cache line does."""
        self.store_all([(value, t, m)], streaming)

    def store_all(self, lines: Sequence[tuple[Lanes, Any, Any]], streaming: Any) -> None:
        """Writes some lines, with one branch."""
        builder, places = self.builder, [(value.value, self._pointer(t, m)) for value, t, m in lines]
        with builder.if_else(streaming) as (past, near):
            with past:
                for value, pointer in places:
                    written = builder.store(value, pointer, align=LINE)
                    written.set_metadata("nontemporal", builder.module.add_metadata([INT32(1)]))
            with near:
                for value, pointer in places:
                    builder.store(value, pointer, align=LINE // self.kind.count)

    def ask(self, t: Any, m: Any) -> None:
        """Asks the memory for a line; one that does not exist is not fetched."""
        ask(self.builder, self._pointer(t, m))


class Held:
    """Vectors that change from turn to turn of a loop of the kernel, which LLVM holds in registers."""

    def __init__(self, builder: Any, first: Sequence[Lanes]) -> None:
        self.builder, self.flags = builder, [v.flags for v in first]
        self.places = [cgutils.alloca_once_value(builder, v.value) for v in first]

    def values(self) -> list[Lanes]:
        """The vectors as they are here."""
        return [Lanes(self.builder, self.builder.load(p), f) for p, f in zip(self.places, self.flags, strict=True)]

    def become(self, values: Sequence[Lanes]) -> None:
        """From here on the vectors are these."""
        for value, place in zip(values, self.places, strict=True):
            self.builder.store(value.value, place)


def constant(context: Any, builder: Any, kind: Any, value: Any, n: int) -> Any:
    """Number n of an array of one dimension, a scalar."""
    data = context.make_array(kind)(context, builder, value).data
    return builder.load(builder.gep(data, [INT64(n)]))


def one_of(builder: Any, number: Any, makers: Sequence[Any]) -> Lanes:
    """What the maker with this number gives, a number known only when the kernel runs: a branch for each maker."""
    end = builder.append_basic_block("chosen")
    blocks = [builder.append_basic_block("choice") for _ in makers]
    switch = builder.switch(number, blocks[-1])
    made = []
    for n, (block, make) in enumerate(zip(blocks, makers, strict=True)):
        switch.add_case(number.type(n), block)
        builder.position_at_end(block)
        made.append((make(), builder.block))
        builder.branch(end)
    builder.position_at_end(end)
    found = builder.phi(made[0][0].value.type)
    for value, block in made:
        found.add_incoming(value.value, block)
    return Lanes(builder, found, made[0][0].flags)


def derivatives(away: Lanes, k: Lanes, inner: Lanes) -> list[Any]:
    """For each kind of surrogate what gives its derivative at a distance from the threshold, as `surrogates.derivative`."""

    def of_atan() -> Lanes:
        z = inner * away
        z = z.chosen(">", FAR, FAR, z)
        return k.flagged(RECIPROCAL) / (z * z + 1.0)

    def of_fast_sigmoid() -> Lanes:
        z = k * away + 1.0
        return 1.0 / (z * z)

    def of_sigmoid() -> Lanes:
        z = exp(-k * away)
        return k * z / ((z + 1.0) * (z + 1.0))

    def of_triangle() -> Lanes:
        z = 1.0 - k * away
        return k * z.chosen("<", 0.0, 0.0, z)

    def of_exponential() -> Lanes:
        return k * exp(-k * away)

    def of_rectangle() -> Lanes:
        return (k * away).chosen("<", inner, k, 0.0)

    return [of_atan, of_fast_sigmoid, of_sigmoid, of_triangle, of_exponential, of_rectangle]
