"""The compiled loops of EXODUS and SLAYER. Arrays are [T, M], M series side by side; a row is one step of neighbours.

    i = synapse·i + enter·x, or synapse·(i + x) if early      u = max(decay·v + scale·i, least)
    s = min(⌊u/threshold⌋, most) where u ≥ threshold, else 0      v = u − subtract·s

Nothing forward is contracted to a fused multiply-add, so a membrane has the bits of the definition. Backward is one
recurrence, G = [u > least]·(g·σ' + decay·(1 − through·σ')·G of the next step); `through` is 0 for SLAYER.
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
    contracted,
    inlined,
    numbers,
    pasted,
    row,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

DECAY, SCALE, THRESHOLD, SUBTRACT, LEAST, MOST, SYNAPSE, EARLY = range(8)
THROUGH, SLOPE, INNER, ONE, ZERO, SCALED, CONSTANTS = range(8, 15)

Array = np.ndarray
Scalar = np.floating


@inlined
def _count(u: Scalar, threshold: Scalar, most: Scalar, one: Scalar, zero: Scalar) -> Scalar:
    """Spikes at membrane u; none if it is NaN."""
    n = np.floor(u / threshold)
    n = one if n < one else n
    n = most if n > most else n
    return n if u >= threshold else zero


@inlined
def _advance(x: Array, u: Array, s: Array, v: Array, c: Array) -> None:
    decay, scale, threshold, subtract, least = c[DECAY], c[SCALE], c[THRESHOLD], c[SUBTRACT], c[LEAST]
    most, one, zero = c[MOST], c[ONE], c[ZERO]
    for m in range(x.size):
        um = decay * v[m] + scale * x[m]
        um = least if um < least else um
        sm = _count(um, threshold, most, one, zero)
        u[m] = um
        s[m] = sm
        v[m] = um - subtract * sm


@inlined
def _filter(x: Array, i: Array, decay: Scalar) -> None:
    for m in range(x.size):
        i[m] = decay * i[m] + x[m]


@inlined
def _filter_early(x: Array, i: Array, decay: Scalar) -> None:
    for m in range(x.size):
        i[m] = decay * (i[m] + x[m])


def _retreat_with(kind: int) -> Any:
    @contracted
    def retreat(g: Array, u: Array, q: Array, gx: Array, c: Array) -> None:
        decay, scale, threshold, least, through = c[DECAY], c[SCALE], c[THRESHOLD], c[LEAST], c[THROUGH]
        k, inner, one, zero = c[SLOPE], c[INNER], c[ONE], c[ZERO]
        for m in range(g.size):
            um = u[m]
            slope = derivative(um, kind, threshold, k, inner, one, zero)
            total = g[m] * slope + decay * (one - through * slope) * q[m]
            total = zero if um <= least else total  # at equality too, as in the definition
            q[m] = total
            gx[m] = scale * total

    return retreat


# of g, u, q, gx, c; q is the gradient of u: of the next step on entry, of this one on return
_retreat = by_kind(_retreat_with)


@inlined
def _learn(q: Array, before: Array, by_decay: Array, c: Array) -> None:
    """Adds this step's gradient of decay through the membrane u `before`."""
    threshold, subtract, most, one, zero = c[THRESHOLD], c[SUBTRACT], c[MOST], c[ONE], c[ZERO]
    for m in range(q.size):
        um = before[m]
        by_decay[m] += q[m] * (um - subtract * _count(um, threshold, most, one, zero))


@inlined
def _unlearn(by_decay: Array, q: Array, x: Array) -> None:
    """Subtracts the part of decay's gradient that comes through the input scale 1 − decay."""
    for m in range(x.size):
        by_decay[m] -= q[m] * x[m]


@inlined
def _scale(q: Array, gx: Array, scale: Scalar) -> None:
    for m in range(q.size):
        gx[m] = scale * q[m]


@pasted
def _step(x: Array, u: Array, s: Array, v: Array, i: Array, c: Array) -> None:
    synapse = c[SYNAPSE] >= c[ZERO]
    if synapse and c[EARLY] > c[ZERO]:
        _filter_early(x, i, c[SYNAPSE])
    elif synapse:
        _filter(x, i, c[SYNAPSE])
    _advance(i if synapse else x, u, s, v, c)


@pasted
def _back(t: int, g: Array, gx: Array, q: Array, i: Array, given: Any, lo: int) -> None:
    """One step of the pass back; i is the gradient of the synaptic current."""
    u, x, totals, kind, c = given
    learns, synapse, hi = totals.shape[0] > 0, c[SYNAPSE] >= c[ZERO], lo + q.size
    _retreat(kind, g, row(u, t, lo, hi), q, gx, c)
    if learns and t > 0:
        _learn(q, row(u, t - 1, lo, hi), row(totals, 0, lo, hi), c)
    if synapse:
        _filter(q, i, c[SYNAPSE])
        _scale(i, gx, c[SYNAPSE] if c[EARLY] > c[ZERO] else c[ONE])
    if learns and c[SCALED] > c[ZERO]:
        _unlearn(row(totals, 0, lo, hi), gx if synapse else q, row(x, t, lo, hi))
    if synapse:
        _scale(gx, gx, c[SCALE])


_retrace = passes.backward_of(_back)


@pasted
def _backward(
    g: Array,
    gx: Array,
    u: Array,
    x: Array,
    totals: Array,
    kind: int,
    c: Array,
    work: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Gradients gx, and totals [1, M] of decay by series, of series lo to hi; either may be empty."""
    scratch = bare(work)
    clear(scratch[:2])
    _retrace((u, x, totals, kind, c), u, g, gx, scratch, 0, g.shape[0] - 1, lo, hi, streaming)


_forward = passes.forward_of(_step)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, u, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, u, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.FORWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, u, x[:0], 1, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, u, x, totals, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 6)
        g, gx, u, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        totals, c = array(job, 4, np.float64), array(job, 5, real)
        work, block = np.empty((passes.BACKWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(
                g, gx, u, x, totals, job[NUMBERS], c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0
            )
            block = take(job)

    return task
