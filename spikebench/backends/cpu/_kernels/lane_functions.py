"""Functions of whole lines: exponential, logistic function, logarithm, Philox's uniforms, derivatives of surrogates.

Each takes `Lanes` and appends the instructions that compute it, as `lanes.py` explains. One that says "the bits of" another
one repeats its operations in the same order with the same flags. A change of one needs the same change of the other:
tests/backends/test_cpu_kernels.py compares them bit by bit.

A function that returns `Parts` is a generator. Between two of its parts the instructions of another one may stand, which
`interleaved` puts there, so that the processor computes both at once.
"""

from collections.abc import Generator, Sequence
from typing import Any, TypeVar

from llvmlite import ir
from numba.core import cgutils

from spikebench.backends.cpu._kernels import elementary as e
from spikebench.backends.cpu._kernels.lanes import CONTRACT, INT32, INT64, Lanes, Number, same, splat
from spikebench.numerics import philox

RECIPROCAL = (*CONTRACT, "arcp", "ninf")  # and a division of finite numbers an estimate with a Newton step
FAR = 2.0**60  # from a threshold, in widths: what is farther has a slope of 0, and its square is finite
Made = TypeVar("Made")
Parts = Generator[None, None, Made]  # instructions in parts that others may stand between


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
    """The uniforms of `drawn`, whose instructions follow one another: no others stand between."""
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
    """What each of some functions in parts returns. A part of every one follows in order, so that one waits while another computes."""
    found: dict[int, Any] = {}
    while len(found) < len(parts):
        for n, part in enumerate(parts):
            if n not in found:
                try:
                    next(part)
                except StopIteration as end:
                    found[n] = end.value
    return [found[n] for n in range(len(parts))]


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
