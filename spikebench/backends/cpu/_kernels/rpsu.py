"""The compiled loops of RPSU. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    p = σ(q + b)      v_t = decay·y_t + rest·x_t,  y_{t+1} = v_t − p_t,  y_0 = 0      s = [v ≥ threshold]

Both filters of the definition fade by the same decay, so their difference v is a recurrence of its own. Backward is
the same one in reversed time. It reads x again: what forward keeps of v is y every STRIDE steps.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.elementary import sigmoid
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
    compiled,
    copy,
    keep,
    numbers,
    pasted,
    prefetch,
    row,
    stream,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

STRIDE = 16  # steps between checkpoints
SLOPES = 4  # the row of a work array at which slopes of recomputed steps begin
DECAY, REST, THRESHOLD, SLOPE, INNER, ONE, ZERO, CONSTANTS = range(8)

Array = np.ndarray
Scalar = np.floating


@compiled
def _advance(x: Array, q: Array, bias: Scalar, s: Array, y: Array, c: Array) -> None:
    """One step; q becomes p."""
    decay, rest, threshold, one, zero = c[DECAY], c[REST], c[THRESHOLD], c[ONE], c[ZERO]
    for m in range(x.size):
        p = sigmoid(q[m] + bias, one)
        q[m] = p
        v = decay * y[m] + rest * x[m]
        s[m] = one if v >= threshold else zero
        y[m] = v - p


def _recompute_with(kind: int) -> Any:
    @compiled
    def recompute(x: Array, p: Array, y: Array, slope: Array, c: Array) -> None:
        decay, rest, threshold, k, inner = c[DECAY], c[REST], c[THRESHOLD], c[SLOPE], c[INNER]
        one, zero = c[ONE], c[ZERO]
        for m in range(x.size):
            v = decay * y[m] + rest * x[m]
            slope[m] = derivative(v, kind, threshold, k, inner, one, zero)
            y[m] = v - p[m]

    return recompute


# one step once more: the slope of a spike by v
_recompute = by_kind(_recompute_with)


@compiled
def _pass(g: Array, slope: Array, p: Array, later: Array, f: Array, gx: Array, c: Array) -> None:
    """One step back; `later` is decay·dL/dv of the next step with all that follows from it, f the gradient of q."""
    decay, rest, one = c[DECAY], c[REST], c[ONE]
    for m in range(g.size):
        f[m] = -later[m] * (p[m] * (one - p[m]))
        all_of_it = g[m] * slope[m] + later[m]
        gx[m] = rest * all_of_it
        later[m] = decay * all_of_it


@pasted
def _forward(
    x: Array,
    q: Array,
    bias: Array,
    s: Array,
    checkpoints: Array,
    c: Array,
    work: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Spikes s of series lo to hi, q made p, and for backward y every STRIDE steps, unless that is empty."""
    scratch, n, checkpointed = bare(work), hi - lo, checkpoints.shape[0] > 0
    y = row(scratch, 0, 0, n)
    clear(y)
    for t in range(x.shape[0]):
        if checkpointed and t % STRIDE == 0:
            keep(y, row(checkpoints, t // STRIDE, lo, hi), streaming)
        if streaming:
            prefetch(x, t + 1, lo, hi)
            prefetch(q, t + 1, lo, hi)
        to = row(scratch, 1, 0, n) if streaming else row(s, t, lo, hi)
        _advance(row(x, t, lo, hi), row(q, t, lo, hi), bias[t, 0], to, y, c)
        if streaming:
            stream(to, row(s, t, lo, hi))


@pasted
def _backward(
    g: Array,
    gx: Array,
    f: Array,
    x: Array,
    p: Array,
    checkpoints: Array,
    kind: int,
    c: Array,
    work: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    steps, n, scratch = g.shape[0], hi - lo, bare(work)
    later, y = row(scratch, 0, 0, n), row(scratch, 1, 0, n)
    clear(later)
    for part in range((steps - 1) // STRIDE, -1, -1):
        copy(row(checkpoints, part, lo, hi), y)
        first, last = part * STRIDE, min((part + 1) * STRIDE, steps) - 1
        for t in range(first, last + 1):
            if streaming:
                prefetch(x, t + 1 if t < last else first - STRIDE, lo, hi)
                prefetch(p, t + 1 if t < last else first - STRIDE, lo, hi)
                prefetch(g, t, lo, hi)
            _recompute(kind, row(x, t, lo, hi), row(p, t, lo, hi), y, row(scratch, SLOPES + t - first, 0, n), c)
        for t in range(last, first - 1, -1):
            by_q = row(scratch, 2, 0, n) if streaming else row(f, t, lo, hi)
            by_x = row(scratch, 3, 0, n) if streaming else row(gx, t, lo, hi)
            slope = row(scratch, SLOPES + t - first, 0, n)
            _pass(row(g, t, lo, hi), slope, row(p, t, lo, hi), later, by_q, by_x, c)
            if streaming:
                stream(by_q, row(f, t, lo, hi))
                stream(by_x, row(gx, t, lo, hi))


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, q, b [T, 1], s, checkpoints, c."""

    def task(data: Any) -> None:
        job = numbers(data, 6)
        x, q, bias = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        s, checkpoints, c = array(job, 3, real), array(job, 4, real), array(job, 5, real)
        work, block = np.empty((2, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _forward(x, q, bias, s, checkpoints, c[0], work, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, f, x, p, checkpoints, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, f, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        p, checkpoints, c = array(job, 4, real), array(job, 5, real), array(job, 6, real)
        work, block = np.empty((SLOPES + STRIDE, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, f, x, p, checkpoints, job[NUMBERS], c[0], work, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task
