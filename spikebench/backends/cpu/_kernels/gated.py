"""The compiled loops of a window of every neuron, and of a recurrence whose decays vary. Arrays are [T, M], a row is one step.

    z_t = bias + Σ_{i<k} w_i·x_{t − i·dilation}                     x before the first step is 0
    h_t = β_t·h_{t-1} + (1 − β_t)·x_t,  β = σ(z)                    s_t = [h_t ≥ threshold]

w and bias are rows over the series.
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
    copy,
    inlined,
    numbers,
    pasted,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import slopes

THRESHOLD, SLOPE, INNER, ONE, ZERO, CONSTANTS = range(6)

Array = np.ndarray


@inlined
def _add(to: Array, by: Array, x: Array) -> None:
    for m in range(to.size):
        to[m] += by[m] * x[m]


@inlined
def _sum(to: Array, x: Array) -> None:
    for m in range(to.size):
        to[m] += x[m]


@inlined
def _advance(x: Array, z: Array, s: Array, h: Array, c: Array) -> None:
    threshold, one, zero = c[THRESHOLD], c[ONE], c[ZERO]
    for m in range(x.size):
        beta = sigmoid(z[m], one)
        new = beta * h[m] + (one - beta) * x[m]
        h[m] = new
        s[m] = one if new >= threshold else zero


@inlined
def _retreat(g: Array, x: Array, z: Array, d: Array, before: Array, q: Array, gx: Array, gz: Array, c: Array) -> None:
    one = c[ONE]
    for m in range(g.size):
        beta = sigmoid(z[m], one)
        p = g[m] * d[m] + q[m]
        gx[m] = (one - beta) * p
        gz[m] = p * (before[m] - x[m]) * beta * (one - beta)
        q[m] = beta * p


@pasted
def _window(x: Array, z: Array, weight: Array, bias: Array, dilation: int, lo: int, hi: int) -> None:
    for t in range(x.shape[0]):
        out = z[t, lo:hi]
        copy(bias[0, lo:hi], out)
        for i in range(min(weight.shape[0], t // dilation + 1)):
            _add(out, weight[i, lo:hi], x[t - i * dilation, lo:hi])


@pasted
def _unwindow(
    g: Array, x: Array, gx: Array, weight: Array, by_weight: Array, by_bias: Array, dilation: int, lo: int, hi: int
) -> None:
    steps = g.shape[0]
    for t in range(steps):
        to = gx[t, lo:hi]
        to[:] = 0
        for i in range(min(weight.shape[0], (steps - 1 - t) // dilation + 1)):
            later = g[t + i * dilation, lo:hi]
            _add(to, weight[i, lo:hi], later)
            _add(by_weight[i, lo:hi], x[t, lo:hi], later)
        _sum(by_bias[0, lo:hi], g[t, lo:hi])


@pasted
def _forward(x: Array, z: Array, s: Array, states: Array, c: Array, lo: int, hi: int) -> None:
    h = np.zeros(hi - lo, x.dtype)
    for t in range(x.shape[0]):
        _advance(x[t, lo:hi], z[t, lo:hi], s[t, lo:hi], h, c)
        if states.shape[0] > 0:
            copy(h, states[t, lo:hi])


@pasted
def _backward(
    g: Array, gx: Array, gz: Array, x: Array, z: Array, states: Array, kind: int, c: Array, lo: int, hi: int
) -> None:
    q, none, d = np.zeros(hi - lo, g.dtype), np.zeros(hi - lo, g.dtype), np.zeros(hi - lo, g.dtype)
    for t in range(g.shape[0] - 1, -1, -1):
        before = states[t - 1, lo:hi] if t > 0 else none
        slopes(kind, states[t, lo:hi], d, c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO])
        _retreat(g[t, lo:hi], x[t, lo:hi], z[t, lo:hi], d, before, q, gx[t, lo:hi], gz[t, lo:hi], c)


def window(real: Any, version: str) -> Any:
    """The task of arrays x, z, weight [k, M], bias [1, M]; number: the dilation."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, z, weight, bias = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _window(x, z, weight, bias, job[NUMBERS], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def unwindow(real: Any, version: str) -> Any:
    """The task of arrays g, x, gx, weight [k, M], and their sums [k, M] and [1, M] in float64; number: the dilation."""

    def task(data: Any) -> None:
        job = numbers(data, 6)
        g, x, gx, weight = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        by_weight, by_bias = array(job, 4, np.float64), array(job, 5, np.float64)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _unwindow(g, x, gx, weight, by_weight, by_bias, job[NUMBERS], lo, hi)
            block = take(job)

    return task


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, z, s, states [T, M] or empty, c."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, z, s = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        states, c = array(job, 3, real), array(job, 4, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, z, s, states, c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, gz, x, z, states, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, gz, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        z, states, c = array(job, 4, real), array(job, 5, real), array(job, 6, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, gz, x, z, states, job[NUMBERS], c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task
