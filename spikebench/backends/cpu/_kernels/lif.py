"""The compiled loops of LIF. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    u = a·v + scale·i      s = [u ≥ level]      v = b·u·(1 − hard·s) − drop·s

Nothing forward is contracted to a fused multiply-add, so a membrane has the bits of the definition.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels import passes
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
    copy,
    inlined,
    numbers,
    pasted,
    prefetch,
    row,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

STRIDE = 32  # steps between checkpoints
RECOMPUTED = passes.BACKWARD + 3  # the row of a work array at which recomputed steps begin

# the constants of a neuron, one array of the data's dtype, so that float32 stays float32
A, B, SCALE, LEVEL, THRESHOLD, HARD, DROP, SOFT, THROUGH = range(9)
DELAYED, SCALED, SYNAPSE, SLOPE, INNER, ONE, ZERO, CONSTANTS = range(9, 17)

Array = np.ndarray
Scalar = np.floating


@inlined
def _advance(x: Array, u: Array, s: Array, v: Array, c: Array) -> None:
    a, b, scale, level, hard, drop = c[A], c[B], c[SCALE], c[LEVEL], c[HARD], c[DROP]
    one, zero = c[ONE], c[ZERO]
    for m in range(x.size):
        um = a * v[m] + scale * x[m]
        sm = one if um >= level else zero
        u[m] = um
        s[m] = sm
        v[m] = b * um * (one - hard * sm) - drop * sm


@inlined
def _filter(x: Array, i: Array, decay: Scalar) -> None:
    for m in range(x.size):
        i[m] = decay * i[m] + x[m]


def _retreat_with(kind: int) -> Any:
    @inlined
    def retreat(g: Array, u: Array, q: Array, gx: Array, c: Array) -> None:
        a, b, scale, level, hard = c[A], c[B], c[SCALE], c[LEVEL], c[HARD]
        threshold, k, inner, one, zero = c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
        left, lost_hard, lost_soft = b * (one - hard), c[THROUGH] * b, c[THROUGH] * c[DROP]
        for m in range(g.size):
            um = u[m]
            gv = a * q[m]
            lost = lost_hard * um if hard > zero else lost_soft
            slope = derivative(um, kind, threshold, k, inner, one, zero)
            gu = (g[m] - lost * gv) * slope + (left if um >= level else b) * gv
            q[m] = gu
            gx[m] = scale * gu

    return retreat


# of g, u, q, gx, c; q is the gradient of u: of the next step on entry, of this one on return
_retreat = by_kind(_retreat_with)


@inlined
def _learn(g: Array, u: Array, q: Array, by_decay: Array, by_threshold: Array, kind: int, c: Array) -> None:
    """Adds this step's gradients of decay and threshold; q is that of the next step."""
    a, b, level, hard, drop, through = c[A], c[B], c[LEVEL], c[HARD], c[DROP], c[THROUGH]
    threshold, k, inner, one, zero = c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
    delayed, soft = c[DELAYED] > zero, c[SOFT]
    for m in range(g.size):
        um = u[m]
        sm = one if um >= level else zero
        gv = a * q[m]
        lost = b * um if hard > zero else drop
        slope = derivative(um, kind, threshold, k, inner, one, zero)
        by_decay[m] += q[m] * (um if delayed else um * (one - hard * sm) - drop * sm)
        by_threshold[m] -= (g[m] - through * lost * gv) * slope + soft * sm * gv


@inlined
def _scale(q: Array, gx: Array, scale: Scalar) -> None:
    for m in range(q.size):
        gx[m] = scale * q[m]


@inlined
def _unlearn(by_decay: Array, q: Array, x: Array) -> None:
    """Subtracts the part of decay's gradient that comes through the input scale 1 − decay."""
    for m in range(x.size):
        by_decay[m] -= q[m] * x[m]


@pasted
def _step(x: Array, u: Array, s: Array, v: Array, i: Array, c: Array) -> None:
    synapse = c[SYNAPSE] >= c[ZERO]
    if synapse:
        _filter(x, i, c[SYNAPSE])
    _advance(i if synapse else x, u, s, v, c)


@pasted
def _recompute(
    x: Array, scratch: Array, checkpoints: Array, c: Array, lo: int, hi: int, part: int, streaming: bool
) -> None:
    """Membranes of the steps after checkpoint `part` in the last STRIDE rows of scratch, with the bits of the forward pass."""
    n, first = hi - lo, part * STRIDE
    v, i, s = row(scratch, RECOMPUTED - 3, 0, n), row(scratch, RECOMPUTED - 2, 0, n), row(scratch, RECOMPUTED - 1, 0, n)
    copy(row(checkpoints, part * 2, lo, hi), v)
    copy(row(checkpoints, part * 2 + 1, lo, hi), i)
    for t in range(first, min(first + STRIDE, x.shape[0])):
        if streaming:
            prefetch(x, t + 1, lo, hi)
        _step(row(x, t, lo, hi), row(scratch, RECOMPUTED + t - first, 0, n), s, v, i, c)


@pasted
def _back(t: int, g: Array, gx: Array, q: Array, i: Array, given: Any, lo: int) -> None:
    """One step of the pass back; u begins at step `first` and series `left`; i is the gradient of the synaptic current."""
    u, first, left, x, totals, kind, c = given
    learns, synapse, hi = totals.shape[0] > 0, c[SYNAPSE] >= c[ZERO], lo + q.size
    ut = row(u, t - first, lo - left, hi - left)
    if learns:
        _learn(g, ut, q, row(totals, 0, lo, hi), row(totals, 1, lo, hi), kind, c)
    _retreat(kind, g, ut, q, gx, c)
    if synapse:
        _filter(q, i, c[SYNAPSE])
        _scale(i, gx, c[SCALE])
    if learns and c[SCALED] > c[ZERO] and x.shape[0] > 0:
        _unlearn(row(totals, 0, lo, hi), i if synapse else q, row(x, t, lo, hi))


_retrace = passes.backward_of(_back)


@pasted
def _backward(
    g: Array,
    gx: Array,
    u: Array,
    x: Array,
    checkpoints: Array,
    totals: Array,
    kind: int,
    c: Array,
    work: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Gradients gx, and totals [2, M] of decay and threshold by series, of series lo to hi; either may be empty."""
    scratch, last, saved = bare(work), g.shape[0] - 1, u.shape[0] > 0
    clear(scratch[:2])
    membranes, stride, left = (u, last + 1, 0) if saved else (scratch[RECOMPUTED:], STRIDE, lo)
    for part in range(last // stride, -1, -1):  # saved membranes are one part
        first = part * stride
        if not saved:
            _recompute(x, scratch, checkpoints, c, lo, hi, part, streaming)
        given = (membranes, first, left, x, totals, kind, c)
        _retrace(given, u, g, gx, scratch, first, min(last, first + stride - 1), lo, hi, streaming)


_forward = passes.forward_of(_step)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, u, checkpoints, c."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, s, u = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        checkpoints, c = array(job, 3, real), array(job, 4, real)
        work, block = np.empty((passes.FORWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, u, checkpoints, STRIDE, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, u, x, checkpoints, totals, c."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, u, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        checkpoints, totals, c = array(job, 4, real), array(job, 5, np.float64), array(job, 6, real)
        work = np.empty((RECOMPUTED + (STRIDE if u.shape[0] == 0 else 0), job[SIZE] + PAD), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, u, x, checkpoints, totals, job[NUMBERS], c[0], work, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task
