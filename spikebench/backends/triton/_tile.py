"""Tiles of time inside kernels: R steps are read before the first is worked on, and the next R are asked for by then.

A tile of x [T, M] is R rows of a program's series as a tuple of R tensors [BLOCK]. Its loop has one body, whatever T is:

    m, inside, width = series(M, BLOCK)
    ahead = load(x, m, rows(0, 0, T, inside, R), width, R)
    for t in tl.range(0, T, R, num_stages=STAGES):
        at, there = t * width + m, rows(t, 0, T, inside, R)
        xs, ahead = turn(ahead, x, at, there, at + R * width, rows(t + R, 0, T, inside, R), width, R, STAGES)
        for r in tl.static_range(R):
            …xs[r]…
        store(s, at, there, width, ss, R)

Rows outside [first, end) are read as zeros and not written. A pass in time ends with them, and its state is not used
after. A pass in reverse begins with them, from a state of zero that zeros leave as it is. So chunks of time are
multiples of R, and only the last chunk has such rows.

STAGES > 1 asks for nothing ahead itself: triton pipelines the loop instead, with copies to shared memory.
"""

from typing import TypedDict

import torch
import triton
import triton.language as tl

from spikebench.backends.triton import _launch


class Sizes(TypedDict):
    """Arguments that every kernel over tiles of x [T, M] takes: BLOCK series a program, R time steps a tile."""

    T: int
    M: int
    COMPUTE: tl.dtype
    BLOCK: int
    R: int
    STAGES: int


def sizes(dtype: torch.dtype, size: tuple[int, int], shape: _launch.Shape, rows: int | None = None) -> Sizes:
    """The sizes of x [T, M] with a shape; rows: steps a tile in place of the shape's."""
    steps, count = size
    return {
        "T": steps,
        "M": count,
        "COMPUTE": _launch.COMPUTE[dtype],
        "BLOCK": shape.block,
        "R": rows or shape.rows,
        "STAGES": shape.stages,
    }


@triton.jit
def series(M, BLOCK: tl.constexpr):
    """A program's series, which of them exist, and the distance from one time step to the next; all have 64 bits."""
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return m, m < M, tl.full([], M, tl.int64)


@triton.jit
def rows(t, first, end, inside, R: tl.constexpr):
    """How many rows of the tile from step t on exist of each series: none before `first`, none from `end` on."""
    return tl.where(inside, tl.where(t < first, 0, tl.minimum(end - t, R)).to(tl.int32), 0)


@triton.jit
def load(base, at, there, width, R: tl.constexpr):
    """A tile [R, BLOCK] as a tuple of rows, in the dtype of the tensor; `at`: the places of its first row."""
    read = ()
    for r in tl.static_range(R):
        read += (tl.load(base + (at + r * width), mask=r < there, other=0),)
    return read


@triton.jit
def store(base, at, there, width, written, R: tl.constexpr):
    """Write a tuple of rows as a tile [R, BLOCK], in the dtype of the tensor."""
    for r in tl.static_range(R):
        tl.store(base + (at + r * width), written[r].to(base.dtype.element_ty), mask=r < there)


@triton.jit
def turn(ahead, base, at, there, next_at, next_there, width, R: tl.constexpr, STAGES: tl.constexpr):
    """The tile at `at`, which was asked for a turn ago, and the one at `next_at`, which is asked for now."""
    if STAGES > 1:
        return load(base, at, there, width, R), ahead
    else:
        return ahead, load(base, next_at, next_there, width, R)


@triton.jit
def reverse(backwards, R: tl.constexpr):
    """Rows that were made from the last to the first, in the order of time."""
    ordered = ()
    for r in tl.static_range(R):
        ordered += (backwards[R - 1 - r],)
    return ordered


@triton.jit
def word(fired, R: tl.constexpr):
    """A tile's spikes [R, BLOCK] as bits, the first step's the lowest."""
    bits = tl.zeros([fired[0].shape[0]], tl.int32)
    for r in tl.static_range(R):
        bits = bits | ((fired[r] != 0).to(tl.int32) << r)
    return bits


@triton.jit
def within(word, t, end, R: tl.constexpr):
    """The R lowest bits of a tile's word without those of rows from `end` on."""
    count = tl.minimum(end - t, R).to(tl.int32)
    return tl.where(count >= 32, word, word & ((1 << (count & 31)) - 1))


@triton.jit
def send(words, sent, word, t, end, m, width, inside, R: tl.constexpr):
    """Add a tile's bits to the word of 32 steps that it lies in, which is written when it is whole or the last; see numerics/bits.py.

    R divides 32. What is returned goes into the next tile's call, as `sent`.
    """
    place = tl.cast(t % 32, tl.int32)
    sent = sent | (word << place)
    whole = (place + R >= 32) | (t + R >= end)
    tl.store(words + (t // 32 * width + m), sent, mask=inside & whole)
    return tl.where(whole, 0, sent)
