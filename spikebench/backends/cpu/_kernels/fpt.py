"""The compiled loops of FPT with a leak. Arrays are [T, M], M series side by side; a row is one step of neighbouring series.

All rounds of a step are done before the next step, each with a sum of its own:

    sum = decay·sum + x − threshold·p      h = sum − threshold·(1 − p)      p ← σ(a·h)      (p before the first round is 0)

Forward keeps the derivative of p by h of every round, so that backward has no exponential in it.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.elementary import sigmoid
from spikebench.backends.cpu._kernels.philox import uniforms
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

DECAY, THRESHOLD, ONE, ZERO, CONSTANTS = range(5)

Array = np.ndarray
Scalar = np.floating


@inlined
def _round(x: Array, total: Array, p: Array, c: Array, a: Scalar) -> None:
    decay, threshold, one = c[DECAY], c[THRESHOLD], c[ONE]
    for m in range(x.size):
        new = decay * total[m] + (x[m] - threshold * p[m])
        total[m] = new
        p[m] = sigmoid(a * (new - threshold + threshold * p[m]), one)


@inlined
def _slope(total: Array, before: Array, slope: Array, c: Array, k: Scalar) -> None:
    """The published derivative of a round, from its sum and the p before it."""
    threshold, one = c[THRESHOLD], c[ONE]
    for m in range(total.size):
        q = sigmoid(k * (total[m] - threshold + threshold * before[m]), one)
        slope[m] = k * (q * (one - q))


@inlined
def _sample(p: Array, uniform: Array, s: Array, c: Array) -> None:
    one, zero = c[ONE], c[ZERO]
    for m in range(p.size):
        s[m] = one if uniform[m] < p[m] else zero


@inlined
def _back(by_p: Array, slope: Array, total: Array, gx: Array, c: Array) -> None:
    decay, threshold = c[DECAY], c[THRESHOLD]
    for m in range(by_p.size):
        e = by_p[m] * slope[m]
        later = decay * total[m] + e
        total[m] = later
        gx[m] += later
        by_p[m] = threshold * (e - later)


@pasted
def _forward(
    x: Array, s: Array, slopes: Array, sharp: Array, c: Array, key: Array, drawn: Array, series: int, lo: int, hi: int
) -> None:
    n, steps, rounds = hi - lo, x.shape[0], sharp.shape[1]
    totals, p, before = np.zeros((rounds, n), x.dtype), np.zeros(n, x.dtype), np.zeros(n, x.dtype)
    for first in range(0, steps, 4):
        uniforms(drawn, n, first // 4 * series + lo, key[0], key[1], key[2], key[3])
        for t in range(first, min(first + 4, steps)):
            p[:] = 0
            for k in range(rounds):
                copy(p, before)
                _round(x[t, lo:hi], totals[k], p, c, sharp[0, k])
                if slopes.shape[0] > 0:
                    _slope(totals[k], before, slopes[t * rounds + k, lo:hi], c, sharp[1, k])
            _sample(p, drawn[t - first, :n], s[t, lo:hi], c)


@pasted
def _backward(g: Array, gx: Array, slopes: Array, rounds: int, c: Array, lo: int, hi: int) -> None:
    n = hi - lo
    totals, by_p = np.zeros((rounds, n), g.dtype), np.zeros(n, g.dtype)
    for t in range(g.shape[0] - 1, -1, -1):
        to = gx[t, lo:hi]
        to[:] = 0
        copy(g[t, lo:hi], by_p)
        for k in range(rounds - 1, -1, -1):
            _back(by_p, slopes[t * rounds + k, lo:hi], totals[k], to, c)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, slopes [T·rounds, M] or empty, sharpness [2, rounds], c; numbers k0, k1, site, call."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, s, slopes = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        sharp, c = array(job, 3, real), array(job, 4, real)
        drawn, block = np.empty((4, job[SIZE]), np.float32), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _forward(x, s, slopes, sharp, c[0], job[NUMBERS : NUMBERS + 4], drawn, job[SERIES], lo, hi)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, slopes, c and the number of rounds."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        g, gx, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, slopes, job[NUMBERS], c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task
