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
The exponential and other functions of a vector are in `lane_functions.py`.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

from spikebench.backends.cpu._kernels.primitives import LINE, ask

Number = float | np.floating[Any]
CONTRACT = ("contract",)  # a product and a sum may be one fused multiply-add
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
    """Vectors that every iteration of a loop of the kernel changes, which LLVM holds in registers."""

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
