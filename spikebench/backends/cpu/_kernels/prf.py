"""The compiled loops of PRF. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    re, im = cos·re − sin·im + gain·x,  sin·re + cos·im      s = [re ≥ threshold]

cos, sin and gain are rows over the series. Forward keeps the state before every step, so that backward, the same
rotation the other way round, can sum the gradients of all three.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.fire import INNER, ONE, SLOPE, THRESHOLD, ZERO
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    NUMBERS,
    SERIES,
    SIZE,
    array,
    copy,
    inlined,
    numbers,
    pasted,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

COS, SIN, GAIN, ROWS = range(4)

Array = np.ndarray


@inlined
def _advance(x: Array, s: Array, re: Array, im: Array, by: Array, c: Array) -> None:
    threshold, one, zero = c[THRESHOLD], c[ONE], c[ZERO]
    cos, sin, gain = by[COS], by[SIN], by[GAIN]
    for m in range(x.size):
        real = cos[m] * re[m] - sin[m] * im[m] + gain[m] * x[m]
        im[m] = sin[m] * re[m] + cos[m] * im[m]
        re[m] = real
        s[m] = one if real >= threshold else zero


def _retreat_with(kind: int) -> Any:
    @inlined
    def retreat(
        g: Array, x: Array, gx: Array, re: Array, im: Array, q: Array, by: Array, sums: Array, c: Array
    ) -> None:
        threshold, k, inner, one, zero = c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
        cos, sin, gain, qr, qi = by[COS], by[SIN], by[GAIN], q[0], q[1]
        by_cos, by_sin, by_gain = sums[COS], sums[SIN], sums[GAIN]
        for m in range(g.size):
            real = cos[m] * re[m] - sin[m] * im[m] + gain[m] * x[m]
            e = g[m] * derivative(real, kind, threshold, k, inner, one, zero)
            r = e + cos[m] * qr[m] + sin[m] * qi[m]
            i = cos[m] * qi[m] - sin[m] * qr[m]
            by_cos[m] += r * re[m] + i * im[m]
            by_sin[m] += i * re[m] - r * im[m]
            by_gain[m] += r * x[m]
            gx[m] = gain[m] * r
            qr[m] = r
            qi[m] = i

    return retreat


# of g, x, gx, the state before the step, the gradient q by the state after it, and the sums of those of cos, sin, gain
_retreat = by_kind(_retreat_with)


@pasted
def _forward(x: Array, s: Array, states: Array, by: Array, c: Array, lo: int, hi: int) -> None:
    re, im = np.zeros(hi - lo, x.dtype), np.zeros(hi - lo, x.dtype)
    for t in range(x.shape[0]):
        if states.shape[0] > 0:
            copy(re, states[2 * t, lo:hi])
            copy(im, states[2 * t + 1, lo:hi])
        _advance(x[t, lo:hi], s[t, lo:hi], re, im, by[:, lo:hi], c)


@pasted
def _backward(
    g: Array, gx: Array, x: Array, states: Array, by: Array, sums: Array, kind: int, c: Array, lo: int, hi: int
) -> None:
    q = np.zeros((2, hi - lo), g.dtype)
    for t in range(g.shape[0] - 1, -1, -1):
        re, im = states[2 * t, lo:hi], states[2 * t + 1, lo:hi]
        _retreat(kind, g[t, lo:hi], x[t, lo:hi], gx[t, lo:hi], re, im, q, by[:, lo:hi], sums[:, lo:hi], c)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, states [2T, M] or empty, rows [3, M], c."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, s, states = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        by, c = array(job, 3, real), array(job, 4, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, states, by, c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, x, states, rows [3, M], sums [3, M] in float64, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, x, states = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        by, sums, c = array(job, 4, real), array(job, 5, np.float64), array(job, 6, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, x, states, by, sums, job[NUMBERS], c[0], lo, hi)
            block = take(job)

    return task
