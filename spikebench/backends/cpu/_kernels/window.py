"""The compiled loops of a spike after a sum over a window. Arrays are [T, M], M series side by side; a row is one step.

    u_t = Σ_{j<k} w_j·x_{t−k+1+j} + b      s_t = [u_t ≥ threshold]      e_t = g_t·σ'(u_t − threshold)

The weights w [R, k] and b [R, 1] have one row for all steps or one for each. Backward goes from the last step to the
first and computes u again: what forward keeps is x alone.
"""

from typing import Any

import numpy as np
from numba import njit

from spikebench.backends.cpu._kernels.fire import ZERO, scaled, spikes
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    NUMBERS,
    PAD,
    SERIES,
    SIZE,
    STREAMING,
    array,
    bare,
    compiled,
    numbers,
    row,
    stream,
    take,
)

STRIDE = 16  # steps whose e is held at once

Array = np.ndarray
Scalar = np.floating

# a sum over series may be taken in any order, else it would not be vectorised
_summing = njit(error_model="numpy", fastmath={"reassoc", "contract"})


@compiled
def _set(y: Array, value: Scalar) -> None:
    for m in range(y.size):
        y[m] = value


@compiled
def _add(y: Array, w: Scalar, a: Array) -> None:
    for m in range(y.size):
        y[m] += w * a[m]


@compiled
def _add_four(
    y: Array, w0: Scalar, w1: Scalar, w2: Scalar, w3: Scalar, a0: Array, a1: Array, a2: Array, a3: Array
) -> None:
    for m in range(y.size):
        y[m] += (w0 * a0[m] + w1 * a1[m]) + (w2 * a2[m] + w3 * a3[m])


@compiled
def _membrane(u: Array, x: Array, w: Array, b: Scalar, t: int, lo: int, hi: int) -> None:
    """u_t of series lo to hi from the weights w [k] of its step."""
    k = w.size
    _set(u, b)
    j = max(0, k - 1 - t)
    while j + 4 <= k:
        i = t - k + 1 + j
        _add_four(u, w[j], w[j + 1], w[j + 2], w[j + 3], x[i, lo:hi], x[i + 1, lo:hi], x[i + 2, lo:hi], x[i + 3, lo:hi])
        j += 4
    while j < k:
        _add(u, w[j], x[t - k + 1 + j, lo:hi])
        j += 1


@compiled
def _inputs(gx: Array, e: Array, w: Array, t: int, later: int, zero: Scalar) -> None:
    """The gradient of x_t from the rows e of the steps from t on, of which there are `later`."""
    k, own = w.shape[1], 1 if w.shape[0] > 1 else 0
    i, last = 0, min(k, later)
    _set(gx, zero)
    while i + 4 <= last:
        r, j = own * (t + i), k - 1 - i
        w0, w1, w2, w3 = w[r, j], w[r + own, j - 1], w[r + 2 * own, j - 2], w[r + 3 * own, j - 3]
        _add_four(gx, w0, w1, w2, w3, e[i], e[i + 1], e[i + 2], e[i + 3])
        i += 4
    while i < last:
        _add(gx, w[own * (t + i), k - 1 - i], e[i])
        i += 1


@_summing
def _sum(e: Array, zero: Scalar) -> Scalar:
    found = zero
    for m in range(e.size):
        found += e[m]
    return found


@_summing
def _dot(e: Array, a: Array, zero: Scalar) -> Scalar:
    found = zero
    for m in range(e.size):
        found += e[m] * a[m]
    return found


@_summing
def _dot_four(e: Array, a0: Array, a1: Array, a2: Array, a3: Array, zero: Scalar) -> tuple[Scalar, ...]:
    d0, d1, d2, d3 = zero, zero, zero, zero
    for m in range(e.size):
        d0 += e[m] * a0[m]
        d1 += e[m] * a1[m]
        d2 += e[m] * a2[m]
        d3 += e[m] * a3[m]
    return d0, d1, d2, d3


@compiled
def _weights(total: Array, e: Array, x: Array, k: int, t: int, lo: int, hi: int, zero: Scalar) -> None:
    """Add what step t gives to the gradients of its weights and bias, total [k + 1]."""
    j = max(0, k - 1 - t)
    while j + 4 <= k:
        i = t - k + 1 + j
        d0, d1, d2, d3 = _dot_four(e, x[i, lo:hi], x[i + 1, lo:hi], x[i + 2, lo:hi], x[i + 3, lo:hi], zero)
        total[j] += d0
        total[j + 1] += d1
        total[j + 2] += d2
        total[j + 3] += d3
        j += 4
    while j < k:
        total[j] += _dot(e, x[t - k + 1 + j, lo:hi], zero)
        j += 1
    total[k] += _sum(e, zero)


@compiled
def _forward(
    x: Array, s: Array, w: Array, bias: Array, c: Array, work: Array, lo: int, hi: int, streaming: bool
) -> None:
    scratch, own = bare(work), 1 if w.shape[0] > 1 else 0
    u = row(scratch, 0, 0, hi - lo)
    for t in range(x.shape[0]):
        to = row(scratch, 1, 0, hi - lo) if streaming else row(s, t, lo, hi)
        _membrane(u, x, w[own * t], bias[own * t, 0], t, lo, hi)
        spikes(u, to, c[ZERO], c)
        if streaming:
            stream(to, row(s, t, lo, hi))


@compiled
def _backward(
    g: Array,
    gx: Array,
    x: Array,
    w: Array,
    bias: Array,
    total: Array,
    kind: int,
    c: Array,
    work: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Gradients of series lo to hi; total [R, k + 1] is this block's own, gx or total empty where it is not wanted."""
    steps, k, own, zero = g.shape[0], w.shape[1], 1 if w.shape[0] > 1 else 0, c[ZERO]
    scratch = bare(work)
    u = row(scratch, 0, 0, hi - lo)
    e = np.zeros((STRIDE + k - 1, hi - lo), g.dtype)  # of a part, then of k − 1 later steps
    for part in range((steps - 1) // STRIDE, -1, -1):
        for i in range(k - 2, -1, -1):
            e[STRIDE + i] = e[i]
        first, last = part * STRIDE, min((part + 1) * STRIDE, steps) - 1
        for t in range(first, last + 1):
            _membrane(u, x, w[own * t], bias[own * t, 0], t, lo, hi)
            scaled(kind, g[t, lo:hi], u, e[t - first], zero, c)
            if total.shape[0] > 0:
                _weights(total[own * t], e[t - first], x, k, t, lo, hi, zero)
        if gx.shape[0] > 0:
            for t in range(first, last + 1):
                to = row(scratch, 1, 0, hi - lo) if streaming else row(gx, t, lo, hi)
                _inputs(to, e[t - first :], w, t, steps - t, zero)
                if streaming:
                    stream(to, row(gx, t, lo, hi))


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, w, b, c."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, s, w = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        bias, c = array(job, 3, real), array(job, 4, real)
        work, block = np.empty((2, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, w, bias, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, x, w, b, totals [blocks·R, k + 1] in float64 or empty, c, and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, x, w = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        bias, totals, c = array(job, 4, real), array(job, 5, np.float64), array(job, 6, real)
        work, block = np.empty((2, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo, rows = block * job[SIZE], totals.shape[0] // job[BLOCKS]
            total = totals[block * rows : (block + 1) * rows]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, x, w, bias, total, job[NUMBERS], c[0], work, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task
