"""The compiled loops of PSU. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    z = leak·z + rest·x      v = z − reset·r      s = [v ≥ threshold]      r = decay·(r + σ(z))

PSU has leak = decay and reset = threshold, PPSU leak = 0 and reset = 1.

Backward reads x again instead of two membranes: what forward keeps is (z, r) every STRIDE steps, and the steps between
are computed once more in the cache. Nothing forward is contracted to a fused multiply-add, so v has the bits of the
definition.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels import passes
from spikebench.backends.cpu._kernels.elementary import sigmoid
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    NUMBERS,
    PAD,
    PIECE,
    SERIES,
    SIZE,
    STREAMING,
    array,
    bare,
    clear,
    contracted,
    copy,
    inlined,
    numbers,
    pasted,
    prefetch,
    row,
    stream,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

STRIDE = 16  # steps between checkpoints
SLOPES = 5  # the rows of a work array at which what is recomputed begins
PULLS = SLOPES + STRIDE
DECAY, REST, THRESHOLD, SLOPE, INNER, ONE, ZERO, LEAK, RESET, CONSTANTS = range(10)

Array = np.ndarray


@inlined
def _advance(x: Array, _: Array, s: Array, z: Array, r: Array, c: Array) -> None:
    decay, rest, threshold, one, zero = c[DECAY], c[REST], c[THRESHOLD], c[ONE], c[ZERO]
    leak, reset = c[LEAK], c[RESET]
    for m in range(x.size):
        zm = leak * z[m] + rest * x[m]
        z[m] = zm
        s[m] = one if zm - reset * r[m] >= threshold else zero
        r[m] = decay * (r[m] + sigmoid(zm, one))


def _recompute_with(kind: int) -> Any:
    @contracted
    def recompute(x: Array, z: Array, r: Array, slope: Array, pull: Array, c: Array) -> None:
        decay, rest, threshold, k, inner = c[DECAY], c[REST], c[THRESHOLD], c[SLOPE], c[INNER]
        one, zero, leak, reset = c[ONE], c[ZERO], c[LEAK], c[RESET]
        later = reset * decay
        for m in range(x.size):
            zm = leak * z[m] + rest * x[m]
            z[m] = zm
            slope[m] = derivative(zm - reset * r[m], kind, threshold, k, inner, one, zero)
            p = sigmoid(zm, one)
            r[m] = decay * (r[m] + p)
            pull[m] = p * (later - later * p)

    return recompute


# one step once more: the slope of a spike by v, and how much of later v a unit of z takes away
_recompute = by_kind(_recompute_with)


@contracted
def _retreat(g: Array, slope: Array, pull: Array, qv: Array, qz: Array, gx: Array, c: Array) -> None:
    """qv is Σ decay^lag·dL/dv over steps from the next one on, qz is dL/dz."""
    decay, rest, leak = c[DECAY], c[REST], c[LEAK]
    for m in range(g.size):
        e, qvm = g[m] * slope[m], qv[m]
        qzm = leak * qz[m] + (e - pull[m] * qvm)
        qv[m] = decay * qvm + e
        qz[m] = qzm
        gx[m] = rest * qzm


@pasted
def _backward(
    g: Array,
    gx: Array,
    x: Array,
    checkpoints: Array,
    kind: int,
    c: Array,
    work: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    scratch, n, end = bare(work), hi - lo, g.shape[0] - 1
    qv, qz, z, r, near, piece = (
        row(scratch, 0, 0, n),
        row(scratch, 1, 0, n),
        row(scratch, 2, 0, n),
        row(scratch, 3, 0, n),
        row(scratch, 4, 0, n),
        PIECE if streaming else n,
    )
    clear(scratch[:2])
    for part in range(end // STRIDE, -1, -1):
        copy(row(checkpoints, part * 2, lo, hi), z)
        copy(row(checkpoints, part * 2 + 1, lo, hi), r)
        first, last = part * STRIDE, min((part + 1) * STRIDE - 1, end)
        for t in range(first, last + 1):
            for a in range(0, n, piece):
                b = min(a + piece, n)
                if streaming:
                    prefetch(x, t + 1 if t < last else first - STRIDE, lo + a, lo + b)
                    prefetch(g, t, lo + a, lo + b)
                _recompute(
                    kind,
                    row(x, t, lo + a, lo + b),
                    row(scratch, 2, a, b),
                    row(scratch, 3, a, b),
                    row(scratch, SLOPES + t - first, a, b),
                    row(scratch, PULLS + t - first, a, b),
                    c,
                )
        for t in range(last, first - 1, -1):
            slope, pull = row(scratch, SLOPES + t - first, 0, n), row(scratch, PULLS + t - first, 0, n)
            to = near if streaming else row(gx, t, lo, hi)
            _retreat(row(g, t, lo, hi), slope, pull, qv, qz, to, c)
            if streaming:
                stream(to, row(gx, t, lo, hi))


_forward = passes.forward_of(_advance)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, checkpoints, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, checkpoints, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.FORWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(
                x, s, x[:0], checkpoints, STRIDE, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0
            )
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, x, checkpoints, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        g, gx, x = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        checkpoints, c = array(job, 3, real), array(job, 4, real)
        work, block = np.empty((PULLS + STRIDE, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(
                g,
                gx,
                x,
                checkpoints,
                job[NUMBERS],
                c[0],
                work,
                lo,
                min(lo + job[SIZE], job[SERIES]),
                job[STREAMING] > 0,
            )
            block = take(job)

    return task
