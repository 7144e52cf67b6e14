"""The compiled loops of SPSN. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    i = syn·i + x      v = mem·v + leak·i      p = σ(gain·v)      s = [uniform < p]

The forward pass keeps the derivative of a spike by v, so that backward is two recurrences and draws nothing again.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu.elementary import logit, sigmoid
from spikebench.backends.cpu.philox import uniforms
from spikebench.backends.cpu.primitives import (
    BLOCKS,
    BYPASS,
    NUMBERS,
    SERIES,
    SIZE,
    array,
    compiled,
    fetch,
    numbers,
    stream,
    take,
)

TILE = 1024  # series: four steps of uniforms stay in the first-level cache
MEM, SYN, LEAK, GAIN, AUTHORS, RELAXED, TAU, LEAST, ONE, ZERO, CONSTANTS = range(11)

Array = np.ndarray
Scalar = np.floating


@compiled
def _integrate(x: Array, i: Array, v: Array, syn: Scalar, mem: Scalar, leak: Scalar) -> None:
    for m in range(x.size):
        im = syn * i[m] + x[m]
        i[m] = im
        v[m] = mem * v[m] + leak * im


@compiled
def _sample(v: Array, uniform: Array, s: Array, slope: Array, c: Array) -> None:
    """Spikes, and the slope of the sigmoid-Bernoulli estimators."""
    gain, authors, one, zero = c[GAIN], c[AUTHORS], c[ONE], c[ZERO]
    for m in range(v.size):
        p = sigmoid(gain * v[m], one, zero)
        s[m] = one if uniform[m] < p else zero
        slope[m] = p * (one - p) * (p if authors > zero else one)


@compiled
def _relax(v: Array, uniform: Array, slope: Array, c: Array) -> None:
    """The slope of the relaxed sample of Gumbel-softmax."""
    gain, tau, least, one, zero = c[GAIN], c[TAU], c[LEAST], c[ONE], c[ZERO]
    for m in range(v.size):
        r = uniform[m]
        y = sigmoid((gain * v[m] - logit(least if r < least else r, one)) / tau, one, zero)
        slope[m] = y * (one - y) * (gain / tau)


@compiled
def _weigh(g: Array, slope: Array, qv: Array, decay: Scalar) -> None:
    for m in range(g.size):
        qv[m] = decay * qv[m] + g[m] * slope[m]


@compiled
def _pass(qv: Array, qi: Array, gx: Array, decay: Scalar, leak: Scalar) -> None:
    for m in range(qv.size):
        q = decay * qi[m] + leak * qv[m]
        qi[m] = q
        gx[m] = q


@compiled
def _forward(
    x: Array, s: Array, slopes: Array, c: Array, key: Array, series: int, lo: int, hi: int, bypass: bool
) -> None:
    """Spikes s of series lo to hi, and for backward their slopes, unless that is empty."""
    steps, dtype = x.shape[0], x.dtype
    v, i, drawn = np.zeros(hi - lo, dtype), np.zeros(hi - lo, dtype), np.empty((4, TILE), np.float32)
    some_s, some_slope = np.empty(TILE, dtype), np.empty(TILE, dtype)
    save, relaxed = slopes.shape[0] > 0, c[RELAXED] > c[ZERO]
    for first in range(0, steps, 4):
        for start in range(lo, hi, TILE):
            stop = min(start + TILE, hi)
            at, end = start - lo, stop - lo
            n = end - at
            uniforms(drawn, n, first // 4 * series + start, key[0], key[1], key[2], key[3])
            for t in range(first, min(first + 4, steps)):
                if t + 4 < steps:
                    fetch(x[t + 4, start:stop])
                vt = v[at:end]
                _integrate(x[t, start:stop], i[at:end], vt, c[SYN], c[MEM], c[LEAK])
                st = some_s[:n] if bypass else s[t, start:stop]
                slope = some_slope[:n] if bypass or not save else slopes[t, start:stop]
                _sample(vt, drawn[t - first, :n], st, slope, c)
                if save and relaxed:
                    _relax(vt, drawn[t - first, :n], slope, c)
                if bypass:
                    stream(s[t, start:stop], st)
                    if save:
                        stream(slopes[t, start:stop], slope)


@compiled
def _backward(g: Array, gx: Array, slopes: Array, c: Array, lo: int, hi: int, bypass: bool) -> None:
    qv, qi, some = np.zeros(hi - lo, g.dtype), np.zeros(hi - lo, g.dtype), np.empty(TILE, g.dtype)
    for t in range(g.shape[0] - 1, -1, -1):
        for start in range(lo, hi, TILE):
            stop = min(start + TILE, hi)
            at, end = start - lo, stop - lo
            if t > 0:
                fetch(g[t - 1, start:stop])
                fetch(slopes[t - 1, start:stop])
            out = some[: end - at] if bypass else gx[t, start:stop]
            _weigh(g[t, start:stop], slopes[t, start:stop], qv[at:end], c[MEM])
            _pass(qv[at:end], qi[at:end], out, c[SYN], c[LEAK])
            if bypass:
                stream(gx[t, start:stop], out)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, slopes, c and numbers k0, k1, site, call."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        block = take(job)
        while block < job[BLOCKS] and version:
            lo = block * job[SIZE]
            hi, bypass = min(lo + job[SIZE], job[SERIES]), job[BYPASS] != 0
            _forward(x, s, slopes, c[0], job[NUMBERS : NUMBERS + 4], job[SERIES], lo, hi, bypass)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, slopes, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        g, gx, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        block = take(job)
        while block < job[BLOCKS] and version:
            lo = block * job[SIZE]
            _backward(g, gx, slopes, c[0], lo, min(lo + job[SIZE], job[SERIES]), job[BYPASS] != 0)
            block = take(job)

    return task
