"""Backward passes that are two linear recurrences in reverse, on tiles of time: in one pass, or in chunks that run at once.

    G_t = E_t + f_t·G_{t+1}         dL/du_t: E_t = σ'_t·dL/ds_t and f_t = dG_t/dG_{t+1} come from the saved membrane alone
    Y_t = G_t + a·Y_{t+1}           dL/di_t: a is the synapse's decay; without a synapse Y is G

So only one multiply-add a step waits for the step before. A kernel has arguments of the names used in `Backward`.
"""

from math import gcd
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _tile
from spikebench.backends.triton._direct import Argument
from spikebench.backends.triton._scan import carry
from spikebench.backends.triton._shapes import Shape


class Backward:
    """A backward pass over x [T, M] of one dtype and size: its last launch, and where it is cut into chunks the one before.

    sums: the arguments that sums over all programs are written to, each the gradient of a scalar, and whether it is wanted.
    given: the kernel's other arguments that stay, but for those of tiles and chunks; the synapse's decay is wanted here too.
    """

    def __init__(
        self,
        kernel: Any,
        x: tuple[torch.dtype, tuple[int, int]],
        shape: Shape,
        sums: dict[str, bool],
        synapse: float,
        **given: Argument,
    ) -> None:
        steps, count = x[1]
        length, rows = cut(steps, shape.chunk, shape.rows)
        self._grid = grid = (_launch.cdiv(count, shape.block), _launch.cdiv(steps, length))
        self._count, self._sums, self._fade = count, sums, synapse**length
        none = dict.fromkeys(name for name, wanted in sums.items() if not wanted)
        common = {**given, "synapse": synapse, "L": length, **_tile.sizes(*x, shape, rows)}
        self._last = _launch.Prepared(kernel, grid, shape.warps, ENDS=False, **none, **common)
        self._ends = None
        if grid[1] > 1:
            none = dict.fromkeys(("dx", *sums))
            self._ends = _launch.Prepared(kernel, grid, shape.warps, ENDS=True, **none, **common)

    def __call__(self, g: Tensor, given: dict[str, Tensor | None]) -> tuple[Tensor | None, ...]:
        """Gradients of the input [T, M], and of the scalars that are wanted; given: what else is read."""
        state = None
        if self._ends is not None:
            ends = g.new_empty(4, self._grid[1], self._count, dtype=_launch.wide(g.dtype))
            self._ends(g, given | {"g": g, "state": ends})
            state = carry(ends[0], ends[1], (ends[2], ends[3], self._fade), reverse=True)
        dx = torch.empty_like(g)
        totals = {k: g.new_empty(self._grid, dtype=torch.float64) for k, wanted in self._sums.items() if wanted}
        self._last(g, {"g": g, "dx": dx, "state": state, **given, **totals})
        return dx, *[totals[k].sum().to(g.dtype) if wanted else None for k, wanted in self._sums.items()]


def cut(steps: int, chunk: int, rows: int) -> tuple[int, int]:
    """Steps a chunk, a multiple of those a tile, and steps a tile: fewer where a chunk that is asked for needs it."""
    if not 0 < chunk < steps:
        return steps, rows
    rows = gcd(chunk, rows)
    return chunk, rows


@triton.jit
def decays(decay_at, decay, rest, synapse, COMPUTE: tl.constexpr):
    """The membrane's decay, 1 minus it, and the synapse's decay in the dtype of the computation."""
    d = tl.full([], decay, COMPUTE) if decay_at is None else tl.load(decay_at).to(COMPUTE)
    c = tl.full([], rest, COMPUTE) if decay_at is None else 1 - d
    return d, c, tl.full([], synapse, COMPUTE)


@triton.jit
def span(T, L, R: tl.constexpr):
    """A program's chunk, the number of chunks, its first step, the step after its last, and its last tile's first step."""
    chunk = tl.program_id(1).to(tl.int64)
    first = chunk * L
    end = tl.minimum(first + L, T)
    return chunk, tl.num_programs(1).to(tl.int64), first, end, first + (end - 1 - first) // R * R


@triton.jit
def entering(state, chunk, chunks, m, width, inside, ENDS: tl.constexpr, COMPUTE: tl.constexpr, BLOCK: tl.constexpr):
    """G and Y of the step after the chunk: zero, or what the carry between chunks left in `state` [2, chunks, M].

    Then the same, where dL/du is 1 after the chunk and no spike in it has a gradient.
    """
    G = tl.zeros([BLOCK], COMPUTE)
    Y = tl.zeros([BLOCK], COMPUTE)
    G1 = tl.full([BLOCK], 1, COMPUTE)
    if state is not None and not ENDS:
        G = tl.load(state + (chunk * width + m), mask=inside, other=0)
        Y = tl.load(state + ((chunks + chunk) * width + m), mask=inside, other=0)
    return G, Y, G1, tl.zeros([BLOCK], COMPUTE)


@triton.jit
def leaving(state, chunk, chunks, m, width, inside, G, Y, G1, Y1):
    """Write what a chunk makes of a zero state, and of G = 1 and no gradient of spikes, into `state` [4, chunks, M]."""
    at = chunk * width + m
    tl.store(state + at, G, mask=inside)
    tl.store(state + (chunks * width + at), Y, mask=inside)
    tl.store(state + (2 * chunks * width + at), G1, mask=inside)
    tl.store(state + (3 * chunks * width + at), Y1, mask=inside)


@triton.jit
def back(G, Y, e, f, a, SYNAPSE: tl.constexpr):
    """G_t and Y_t."""
    G = e + f * G
    Y = G + a * Y if SYNAPSE else G
    return G, Y


@triton.jit
def total(sums, value, chunk, chunks):
    """Write a program's sum of a learned scalar's gradient into `sums` [programs, chunks]."""
    tl.store(sums + (tl.program_id(0).to(tl.int64) * chunks + chunk), tl.sum(value, axis=0))
