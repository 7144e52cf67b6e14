"""The compiled loops of a spike after a product of matrices. Arrays are [rows, M], a row is one step of neighbouring series.

s = [u + bias ≥ threshold]      e = g·σ'(u + bias − threshold)
"""

from typing import Any

import numpy as np

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
    pasted,
    prefetch,
    row,
    stream,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

THRESHOLD, SLOPE, INNER, ONE, ZERO, CONSTANTS = range(6)

Array = np.ndarray
Scalar = np.floating


@compiled
def spikes(u: Array, s: Array, bias: Scalar, c: Array) -> None:
    """One row of spikes."""
    threshold, one, zero = c[THRESHOLD], c[ONE], c[ZERO]
    for m in range(u.size):
        s[m] = one if u[m] + bias >= threshold else zero


def _scaled_with(kind: int) -> Any:
    @compiled
    def scaled(g: Array, u: Array, e: Array, bias: Scalar, c: Array) -> None:
        threshold, k, inner, one, zero = c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
        for m in range(g.size):
            e[m] = g[m] * derivative(u[m] + bias, kind, threshold, k, inner, one, zero)

    return scaled


# one row of the gradient by the membrane
scaled = by_kind(_scaled_with)


@pasted
def _forward(u: Array, s: Array, bias: Array, c: Array, work: Array, lo: int, hi: int, streaming: bool) -> None:
    scratch = bare(work)
    for t in range(u.shape[0]):
        if streaming:
            prefetch(u, t + 1, lo, hi)
        to = row(scratch, 0, 0, hi - lo) if streaming else row(s, t, lo, hi)
        spikes(row(u, t, lo, hi), to, bias[t, 0], c)
        if streaming:
            stream(to, row(s, t, lo, hi))


@pasted
def _backward(
    g: Array, u: Array, e: Array, bias: Array, kind: int, c: Array, work: Array, lo: int, hi: int, streaming: bool
) -> None:
    scratch = bare(work)
    for t in range(u.shape[0]):
        if streaming:
            prefetch(g, t + 1, lo, hi)
            prefetch(u, t + 1, lo, hi)
        to = row(scratch, 0, 0, hi - lo) if streaming else row(e, t, lo, hi)
        scaled(kind, row(g, t, lo, hi), row(u, t, lo, hi), to, bias[t, 0], c)
        if streaming:
            stream(to, row(e, t, lo, hi))


def forward(real: Any, version: str) -> Any:
    """The task of arrays u, s, bias [rows, 1], c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        u, s, bias, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((1, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(u, s, bias, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, u, e, bias [rows, 1], c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        g, u, e = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        bias, c = array(job, 3, real), array(job, 4, real)
        work, block = np.empty((1, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, u, e, bias, job[NUMBERS], c[0], work, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task
