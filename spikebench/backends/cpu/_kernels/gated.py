"""The compiled loops of a leaky integrator whose decay is given for every step. Arrays are [T, M], a row is one step.

h_t = β_t·h_{t-1} + (1 − β_t)·x_t,  β = σ(z)                    s_t = [h_t ≥ threshold]
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.elementary import sigmoid
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
from spikebench.backends.cpu._kernels.surrogates import slopes

Array = np.ndarray


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
