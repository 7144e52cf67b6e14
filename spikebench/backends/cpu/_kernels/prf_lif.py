"""The compiled loops of the decoupled LIF. Arrays are [T, M], M series side by side; a row is one step of neighbours.

w = decay·w + x      u = w − lift·a      s = [u ≥ threshold]      a = s + fade·a
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels import passes
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    NUMBERS,
    PAD,
    SERIES,
    SIZE,
    STREAMING,
    array,
    bare,
    clear,
    inlined,
    numbers,
    pasted,
    row,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

DECAY, LIFT, FADE, THRESHOLD, SLOPE, INNER, ONE, ZERO, CONSTANTS = range(9)

Array = np.ndarray


@inlined
def _step(x: Array, u: Array, s: Array, v: Array, i: Array, c: Array) -> None:
    decay, lift, fade, threshold, one, zero = c[DECAY], c[LIFT], c[FADE], c[THRESHOLD], c[ONE], c[ZERO]
    for m in range(x.size):
        w = decay * v[m] + x[m]
        um = w - lift * i[m]
        sm = one if um >= threshold else zero
        v[m] = w
        u[m] = um
        s[m] = sm
        i[m] = sm + fade * i[m]


def _retreat_with(kind: int) -> Any:
    @inlined
    def retreat(g: Array, u: Array, q: Array, gx: Array, c: Array) -> None:
        decay, threshold, k, inner, one, zero = c[DECAY], c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
        for m in range(g.size):
            total = g[m] * derivative(u[m], kind, threshold, k, inner, one, zero) + decay * q[m]
            q[m] = total
            gx[m] = total

    return retreat


# of g, u, q, gx, c; q is the gradient of w: of the next step on entry, of this one on return
_retreat = by_kind(_retreat_with)


@pasted
def _back(t: int, g: Array, gx: Array, q: Array, i: Array, given: Any, lo: int) -> None:
    u, kind, c = given
    _retreat(kind, g, row(u, t, lo, lo + g.size), q, gx, c)


_forward = passes.forward_of(_step)
_retrace = passes.backward_of(_back)


@pasted
def _backward(
    g: Array, gx: Array, u: Array, kind: int, c: Array, work: Array, lo: int, hi: int, streaming: bool
) -> None:
    scratch = bare(work)
    clear(scratch[:2])
    _retrace((u, kind, c), u, g, gx, scratch, 0, g.shape[0] - 1, lo, hi, streaming)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, u, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, u, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.FORWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, u, x[:0], 1, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, u, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        g, gx, u, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.BACKWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, u, job[NUMBERS], c[0], work, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task
