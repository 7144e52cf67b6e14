"""The compiled loops of SPSN. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    i = syn·i + x      v = mem·v + leak·i      p = σ(gain·v)      s = [uniform < p]

The forward pass keeps the derivative of a spike by v, so that backward is two recurrences and draws nothing again.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels import passes
from spikebench.backends.cpu._kernels.elementary import logit, sigmoid
from spikebench.backends.cpu._kernels.philox import uniforms
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
    prefetch,
    row,
    stream,
    take,
)

TILE = 1024  # series: four steps of uniforms stay in the first-level cache
MEM, SYN, LEAK, GAIN, AUTHORS, RELAXED, TAU, LEAST, ONE, ZERO, CONSTANTS = range(11)

Array = np.ndarray
Scalar = np.floating


@inlined
def _integrate(x: Array, i: Array, v: Array, syn: Scalar, mem: Scalar, leak: Scalar) -> None:
    for m in range(x.size):
        im = syn * i[m] + x[m]
        i[m] = im
        v[m] = mem * v[m] + leak * im


@inlined
def _sample(v: Array, uniform: Array, s: Array, slope: Array, c: Array) -> None:
    """Spikes, and the slope of the sigmoid-Bernoulli estimators."""
    gain, authors, one, zero = c[GAIN], c[AUTHORS], c[ONE], c[ZERO]
    for m in range(v.size):
        p = sigmoid(gain * v[m], one)
        s[m] = one if uniform[m] < p else zero
        slope[m] = p * (one - p) * (p if authors > zero else one)


@inlined
def _relax(v: Array, uniform: Array, slope: Array, c: Array) -> None:
    """The slope of the relaxed sample of Gumbel-softmax."""
    gain, tau, least, one = c[GAIN], c[TAU], c[LEAST], c[ONE]
    for m in range(v.size):
        r = uniform[m]
        y = sigmoid((gain * v[m] - logit(least if r < least else r, one)) / tau, one)
        slope[m] = y * (one - y) * (gain / tau)


@pasted
def _draw(v: Array, uniform: Array, s: Array, slope: Array, c: Array, relaxed: bool) -> None:
    _sample(v, uniform, s, slope, c)
    if relaxed:
        _relax(v, uniform, slope, c)


@inlined
def _scaled(g: Array, slope: Array, qv: Array, decay: Scalar) -> None:
    for m in range(g.size):
        qv[m] = decay * qv[m] + g[m] * slope[m]


@inlined
def _pass(qv: Array, qi: Array, gx: Array, decay: Scalar, leak: Scalar) -> None:
    for m in range(qv.size):
        q = decay * qi[m] + leak * qv[m]
        qi[m] = q
        gx[m] = q


@pasted
def _forward(
    x: Array,
    s: Array,
    slopes: Array,
    c: Array,
    key: Array,
    work: Array,
    uniform: Array,
    series: int,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Spikes s of series lo to hi, and for backward their slopes, unless that is empty."""
    scratch, drawn = bare(work), bare(uniform)
    v, i = row(scratch, 0, 0, hi - lo), row(scratch, 1, 0, hi - lo)
    clear(v)
    clear(i)
    steps, save, relaxed = x.shape[0], slopes.shape[0] > 0, c[RELAXED] > c[ZERO]
    straight = save and not streaming
    for first in range(0, steps, 4):
        for start in range(lo, hi, TILE):
            stop = min(start + TILE, hi)
            n, vt, it = stop - start, row(scratch, 0, start - lo, stop - lo), row(scratch, 1, start - lo, stop - lo)
            uniforms(drawn, n, first // 4 * series + start, key[0], key[1], key[2], key[3])
            for t in range(first, min(first + 4, steps)):
                _integrate(row(x, t, start, stop), it, vt, c[SYN], c[MEM], c[LEAK])
                if streaming:
                    prefetch(x, t + 4, start, stop)
                st = row(scratch, 2, 0, n) if streaming else row(s, t, start, stop)
                slope = row(slopes, t, start, stop) if straight else row(scratch, 3, 0, n)
                _draw(vt, row(drawn, t - first, 0, n), st, slope, c, save and relaxed)
                if streaming:
                    stream(st, row(s, t, start, stop))
                    if save:
                        stream(slope, row(slopes, t, start, stop))


@pasted
def _back(t: int, g: Array, gx: Array, qv: Array, qi: Array, given: Any, lo: int) -> None:
    slopes, c = given
    _scaled(g, row(slopes, t, lo, lo + g.size), qv, c[MEM])
    _pass(qv, qi, gx, c[SYN], c[LEAK])


_retrace = passes.backward_of(_back)


@pasted
def _backward(g: Array, gx: Array, slopes: Array, c: Array, work: Array, lo: int, hi: int, streaming: bool) -> None:
    scratch = bare(work)
    clear(scratch[:2])
    _retrace((slopes, c), slopes, g, gx, scratch, 0, g.shape[0] - 1, lo, hi, streaming)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, slopes, c and numbers k0, k1, site, call."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, uniform = np.empty((4, max(job[SIZE], TILE) + PAD), real), np.empty((4, TILE), np.float32)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _forward(
                x, s, slopes, c[0], job[NUMBERS : NUMBERS + 4], work, uniform, job[SERIES], lo, hi, job[STREAMING] > 0
            )
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, slopes, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        g, gx, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.BACKWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, slopes, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task
