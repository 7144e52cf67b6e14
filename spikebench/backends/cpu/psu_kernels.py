"""The compiled loops of PSU. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    z = decay·z + rest·x      v = z − threshold·r      s = [v ≥ threshold]      r = decay·(r + σ(z))

Backward reads x again instead of two membranes: what forward keeps is (z, r) every STRIDE steps, and the steps between
are computed once more in the cache. z is not contracted to fused multiply-adds, so it has the bits of the definition.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu.elementary import sigmoid
from spikebench.backends.cpu.primitives import (
    BLOCKS,
    NUMBERS,
    SERIES,
    SIZE,
    array,
    compiled,
    numbers,
    take,
)
from spikebench.backends.cpu.surrogates import by_kind, derivative

STRIDE = 16  # steps between checkpoints
DECAY, REST, THRESHOLD, SLOPE, INNER, ONE, ZERO, CONSTANTS = range(8)

Array = np.ndarray
Scalar = np.floating


@compiled
def _advance(x: Array, s: Array, z: Array, r: Array, c: Array) -> None:
    decay, rest, threshold, one, zero = c[DECAY], c[REST], c[THRESHOLD], c[ONE], c[ZERO]
    for m in range(x.size):
        zm = decay * z[m] + rest * x[m]
        z[m] = zm
        s[m] = one if zm - threshold * r[m] >= threshold else zero
        r[m] = decay * (r[m] + sigmoid(zm, one))


def _again_with(kind: int) -> Any:
    @compiled
    def again(x: Array, z: Array, r: Array, slope: Array, pull: Array, c: Array) -> None:
        decay, rest, threshold, k, inner = c[DECAY], c[REST], c[THRESHOLD], c[SLOPE], c[INNER]
        one, zero, reset = c[ONE], c[ZERO], c[THRESHOLD] * c[DECAY]
        for m in range(x.size):
            zm = decay * z[m] + rest * x[m]
            z[m] = zm
            slope[m] = derivative(zm - threshold * r[m], kind, threshold, k, inner, one, zero)
            p = sigmoid(zm, one)
            r[m] = decay * (r[m] + p)
            pull[m] = reset * p * (one - p)

    return again


# one step once more: the slope of a spike by v, and how much of later v a unit of z takes away
_again = by_kind(_again_with)


@compiled
def _weigh(g: Array, slope: Array, pull: Array, qv: Array, decay: Scalar) -> None:
    """qv is Σ decay^lag·dL/dv over steps from the next one on; `pull` becomes the gradient of z but for its decay."""
    for m in range(g.size):
        e = g[m] * slope[m]
        pull[m] = e - pull[m] * qv[m]
        qv[m] = decay * qv[m] + e


@compiled
def _pass(e: Array, qz: Array, gx: Array, decay: Scalar, rest: Scalar) -> None:
    for m in range(e.size):
        q = decay * qz[m] + e[m]
        qz[m] = q
        gx[m] = rest * q


@compiled
def _forward(x: Array, s: Array, marks: Array, c: Array, lo: int, hi: int) -> None:
    """Spikes s of series lo to hi, and for backward the states (z, r) every STRIDE steps, unless that is empty."""
    z, r, mark = np.zeros(hi - lo, x.dtype), np.zeros(hi - lo, x.dtype), marks.shape[0] > 0
    for t in range(x.shape[0]):
        if mark and t % STRIDE == 0:
            marks[t // STRIDE * 2, lo:hi] = z
            marks[t // STRIDE * 2 + 1, lo:hi] = r
        _advance(x[t, lo:hi], s[t, lo:hi], z, r, c)


@compiled
def _backward(g: Array, gx: Array, x: Array, marks: Array, kind: int, c: Array, lo: int, hi: int) -> None:
    steps, n = g.shape[0], hi - lo
    qv, qz = np.zeros(n, g.dtype), np.zeros(n, g.dtype)
    slope, pull = np.empty((STRIDE, n), g.dtype), np.empty((STRIDE, n), g.dtype)
    for part in range((steps - 1) // STRIDE, -1, -1):
        z, r = marks[part * 2, lo:hi].copy(), marks[part * 2 + 1, lo:hi].copy()
        first, last = part * STRIDE, min((part + 1) * STRIDE, steps) - 1
        for t in range(first, last + 1):
            _again(kind, x[t, lo:hi], z, r, slope[t - first], pull[t - first], c)
        for t in range(last, first - 1, -1):
            _weigh(g[t, lo:hi], slope[t - first], pull[t - first], qv, c[DECAY])
            _pass(pull[t - first], qz, gx[t, lo:hi], c[DECAY], c[REST])


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, marks, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, marks, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, marks, c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, x, marks, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        g, gx, x = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        marks, c = array(job, 3, real), array(job, 4, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, x, marks, job[NUMBERS], c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task
