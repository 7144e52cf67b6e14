"""The compiled loops of a depthwise causal convolution: every series has weights of its own. Arrays are [T, M], a row is one step.

    z_t = bias + Σ_{i<k} w_i·x_{t − i·dilation}                     x before the first step is 0

w [k, M] and bias [1, M] are rows over the series. `window.py` has the sum whose weights all series share.
"""

from typing import Any

import numpy as np

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

Array = np.ndarray


@inlined
def _add(to: Array, by: Array, x: Array) -> None:
    for m in range(to.size):
        to[m] += by[m] * x[m]


@inlined
def _sum(to: Array, x: Array) -> None:
    for m in range(to.size):
        to[m] += x[m]


@pasted
def _forward(x: Array, z: Array, weight: Array, bias: Array, dilation: int, lo: int, hi: int) -> None:
    for t in range(x.shape[0]):
        out = z[t, lo:hi]
        copy(bias[0, lo:hi], out)
        for i in range(min(weight.shape[0], t // dilation + 1)):
            _add(out, weight[i, lo:hi], x[t - i * dilation, lo:hi])


@pasted
def _backward(
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


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, z, weight [k, M], bias [1, M]; number: the dilation."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, z, weight, bias = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, z, weight, bias, job[NUMBERS], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, x, gx, weight [k, M], and their sums [k, M] and [1, M] in float64; number: the dilation."""

    def task(data: Any) -> None:
        job = numbers(data, 6)
        g, x, gx, weight = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        by_weight, by_bias = array(job, 4, np.float64), array(job, 5, np.float64)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, x, gx, weight, by_weight, by_bias, job[NUMBERS], lo, hi)
            block = take(job)

    return task
