"""The compiled loops of EXODUS and SLAYER. Arrays are [T, M], M series side by side; a row is one step of neighbours.

    i = synapse·i + enter·x, or synapse·(i + x) if early      u = max(decay·v + scale·i, least)
    s = min(⌊u/threshold⌋, most) where u ≥ threshold, else 0      v = u − subtract·s

Nothing forward is contracted to a fused multiply-add, so a membrane has the bits of the definition. Backward is one
recurrence, G = [u > least]·(g·σ' + decay·(1 − through·σ')·G of the next step); `through` is 0 for SLAYER.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu.primitives import (
    BLOCKS,
    NUMBERS,
    SERIES,
    SIZE,
    array,
    compiled,
    numbers,
    take,
)
from spikebench.backends.cpu.surrogates import by_kind, derivative

DECAY, SCALE, THRESHOLD, SUBTRACT, LEAST, MOST, SYNAPSE, EARLY = range(8)
THROUGH, SLOPE, INNER, ONE, ZERO, SCALED, CONSTANTS = range(8, 15)

Array = np.ndarray
Scalar = np.floating


@compiled
def _count(u: Scalar, threshold: Scalar, most: Scalar, one: Scalar, zero: Scalar) -> Scalar:
    """Spikes at membrane u; none if it is NaN."""
    n = np.floor(u / threshold)
    n = one if n < one else n
    n = most if n > most else n
    return n if u >= threshold else zero


@compiled
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


@compiled
def _filter(x: Array, i: Array, decay: Scalar) -> None:
    for m in range(x.size):
        i[m] = decay * i[m] + x[m]


@compiled
def _filter_early(x: Array, i: Array, decay: Scalar) -> None:
    for m in range(x.size):
        i[m] = decay * (i[m] + x[m])


def _retreat_with(kind: int) -> Any:
    @compiled
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


@compiled
def _learn(q: Array, before: Array, by_decay: Array, c: Array) -> None:
    """Adds this step's gradient of decay through the membrane u `before`."""
    threshold, subtract, most, one, zero = c[THRESHOLD], c[SUBTRACT], c[MOST], c[ONE], c[ZERO]
    for m in range(q.size):
        um = before[m]
        by_decay[m] += q[m] * (um - subtract * _count(um, threshold, most, one, zero))


@compiled
def _unlearn(by_decay: Array, q: Array, x: Array) -> None:
    """Subtracts the part of decay's gradient that comes through the input scale 1 − decay."""
    for m in range(x.size):
        by_decay[m] -= q[m] * x[m]


@compiled
def _scale(q: Array, gx: Array, scale: Scalar) -> None:
    for m in range(q.size):
        gx[m] = scale * q[m]


@compiled
def _forward(x: Array, s: Array, u: Array, c: Array, lo: int, hi: int) -> None:
    """Spikes s of series lo to hi, and the membranes u for backward, unless that is empty."""
    v, i, unsaved = np.zeros(hi - lo, x.dtype), np.zeros(hi - lo, x.dtype), np.empty(hi - lo, x.dtype)
    save, synapse, early = u.shape[0] > 0, c[SYNAPSE] >= c[ZERO], c[EARLY] > c[ZERO]
    for t in range(x.shape[0]):
        xt = x[t, lo:hi]
        if synapse:
            if early:
                _filter_early(xt, i, c[SYNAPSE])
            else:
                _filter(xt, i, c[SYNAPSE])
            xt = i
        _advance(xt, u[t, lo:hi] if save else unsaved, s[t, lo:hi], v, c)


@compiled
def _backward(g: Array, gx: Array, u: Array, x: Array, totals: Array, kind: int, c: Array, lo: int, hi: int) -> None:
    """Gradients gx, and totals [1, M] of decay by series, of series lo to hi; either may be empty."""
    dtype = g.dtype
    q, current, unwanted = np.zeros(hi - lo, dtype), np.zeros(hi - lo, dtype), np.empty(hi - lo, dtype)
    learns, wants, synapse = totals.shape[0] > 0, gx.shape[0] > 0, c[SYNAPSE] >= c[ZERO]
    enter = c[SYNAPSE] if c[EARLY] > c[ZERO] else c[ONE]
    for t in range(g.shape[0] - 1, -1, -1):
        out = gx[t, lo:hi] if wants else unwanted
        _retreat(kind, g[t, lo:hi], u[t, lo:hi], q, out, c)
        if learns and t > 0:
            _learn(q, u[t - 1, lo:hi], totals[0, lo:hi], c)
        if synapse:
            _filter(q, current, c[SYNAPSE])
            _scale(current, out, enter)
            if learns and c[SCALED] > c[ZERO]:
                _unlearn(totals[0, lo:hi], out, x[t, lo:hi])
            _scale(out, out, c[SCALE])
        elif learns and c[SCALED] > c[ZERO]:
            _unlearn(totals[0, lo:hi], q, x[t, lo:hi])


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, u, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, u, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, u, c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, u, x, totals, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 6)
        g, gx, u, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        totals, c = array(job, 4, np.float64), array(job, 5, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, u, x, totals, job[NUMBERS], c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task
