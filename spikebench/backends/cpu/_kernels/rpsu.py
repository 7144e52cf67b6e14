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
    SERIES,
    SIZE,
    array,
    compiled,
    copy,
    numbers,
    pasted,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

STRIDE = 16  # steps between checkpoints
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
def _forward(x: Array, q: Array, bias: Array, s: Array, checkpoints: Array, c: Array, lo: int, hi: int) -> None:
    """Spikes s of series lo to hi, q made p, and for backward y every STRIDE steps, unless that is empty."""
    y, checkpointed = np.zeros(hi - lo, x.dtype), checkpoints.shape[0] > 0
    for t in range(x.shape[0]):
        if checkpointed and t % STRIDE == 0:
            copy(y, checkpoints[t // STRIDE, lo:hi])
        _advance(x[t, lo:hi], q[t, lo:hi], bias[t, 0], s[t, lo:hi], y, c)


@pasted
def _backward(
    g: Array, gx: Array, f: Array, x: Array, p: Array, checkpoints: Array, kind: int, c: Array, lo: int, hi: int
) -> None:
    steps, n = g.shape[0], hi - lo
    later, slope, y = np.zeros(n, g.dtype), np.empty((STRIDE, n), g.dtype), np.empty(n, g.dtype)
    for part in range((steps - 1) // STRIDE, -1, -1):
        copy(checkpoints[part, lo:hi], y)
        first, last = part * STRIDE, min((part + 1) * STRIDE, steps) - 1
        for t in range(first, last + 1):
            _recompute(kind, x[t, lo:hi], p[t, lo:hi], y, slope[t - first], c)
        for t in range(last, first - 1, -1):
            _pass(g[t, lo:hi], slope[t - first], p[t, lo:hi], later, f[t, lo:hi], gx[t, lo:hi], c)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, q, b [T, 1], s, checkpoints, c."""

    def task(data: Any) -> None:
        job = numbers(data, 6)
        x, q, bias = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        s, checkpoints, c = array(job, 3, real), array(job, 4, real), array(job, 5, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, q, bias, s, checkpoints, c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, f, x, p, checkpoints, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, f, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        p, checkpoints, c = array(job, 4, real), array(job, 5, real), array(job, 6, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, f, x, p, checkpoints, job[NUMBERS], c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task
