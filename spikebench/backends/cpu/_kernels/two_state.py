"""The compiled loops of neurons with one or two linear states that spikes feed. Arrays are [T, M], a row is one step.

    p_t = A·p̃_{t-1} + B·q_{t-1} + C·s_{t-1} + D·x_t        p̃ = p·(1 − s) with a hard reset, else p
    q_t = E·p̃_{t-1} + F·q_{t-1} + G·s_{t-1} + H·x_t        s_t = [p_t ≥ threshold]

A to H are rows over the series. Forward keeps the states before every step, so that backward can sum the gradients of all
eight. Without a second state q, only A, C and D are read.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.fire import CONSTANTS, INNER, ONE, SLOPE, THRESHOLD, ZERO
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

HARD, THROUGH = CONSTANTS, CONSTANTS + 1  # after the constants of `fire.py`
A, B, C, D, E, F, G, H, ROWS = range(9)

Array = np.ndarray


@inlined
def _advance_one(x: Array, s: Array, p: Array, by: Array, c: Array) -> None:
    threshold, hard, one, zero = c[THRESHOLD], c[HARD], c[ONE], c[ZERO]
    keep, fed, gain = by[A], by[C], by[D]
    for m in range(x.size):
        fired = one if p[m] >= threshold else zero
        new = keep[m] * (p[m] * (one - hard * fired)) + fed[m] * fired + gain[m] * x[m]
        p[m] = new
        s[m] = one if new >= threshold else zero


@inlined
def _advance(x: Array, s: Array, p: Array, q: Array, by: Array, c: Array) -> None:
    threshold, hard, one, zero = c[THRESHOLD], c[HARD], c[ONE], c[ZERO]
    a, b, fed, gain, e, f, fed_q, gain_q = by[A], by[B], by[C], by[D], by[E], by[F], by[G], by[H]
    for m in range(x.size):
        fired = one if p[m] >= threshold else zero
        left = p[m] * (one - hard * fired)
        new = a[m] * left + b[m] * q[m] + fed[m] * fired + gain[m] * x[m]
        q[m] = e[m] * left + f[m] * q[m] + fed_q[m] * fired + gain_q[m] * x[m]
        p[m] = new
        s[m] = one if new >= threshold else zero


@inlined
def _retreat_one(
    g: Array, x: Array, gx: Array, u: Array, d: Array, p: Array, P: Array, by: Array, sums: Array, c: Array
) -> None:
    threshold, hard, through, one, zero = c[THRESHOLD], c[HARD], c[THROUGH], c[ONE], c[ZERO]
    keep, fed, gain = by[A], by[C], by[D]
    by_keep, by_fed, by_gain = sums[A], sums[C], sums[D]
    for m in range(g.size):
        now = one if u[m] >= threshold else zero
        later = keep[m] * P[m]
        es = g[m] + through * (fed[m] * P[m] - hard * u[m] * later)
        new = es * d[m] + (one - hard * now) * later
        fired = one if p[m] >= threshold else zero
        by_keep[m] += new * (p[m] * (one - hard * fired))
        by_fed[m] += new * fired
        by_gain[m] += new * x[m]
        gx[m] = gain[m] * new
        P[m] = new


@inlined
def _retreat(
    g: Array,
    x: Array,
    gx: Array,
    u: Array,
    d: Array,
    p: Array,
    q: Array,
    P: Array,
    Q: Array,
    by: Array,
    sums: Array,
    c: Array,
) -> None:
    threshold, hard, through, one, zero = c[THRESHOLD], c[HARD], c[THROUGH], c[ONE], c[ZERO]
    a, b, fed, gain, e, f, fed_q, gain_q = by[A], by[B], by[C], by[D], by[E], by[F], by[G], by[H]
    for m in range(g.size):
        now = one if u[m] >= threshold else zero
        later = a[m] * P[m] + e[m] * Q[m]
        es = g[m] + through * (fed[m] * P[m] + fed_q[m] * Q[m] - hard * u[m] * later)
        new = es * d[m] + (one - hard * now) * later
        other = b[m] * P[m] + f[m] * Q[m]
        gx[m] = gain[m] * new + gain_q[m] * other
        P[m] = new
        Q[m] = other
    _total(x, p, q, P, sums[A], sums[B], sums[C], sums[D], c)
    _total(x, p, q, Q, sums[E], sums[F], sums[G], sums[H], c)


@inlined
def _total(
    x: Array, p: Array, q: Array, P: Array, left: Array, other: Array, fed: Array, gain: Array, c: Array
) -> None:
    """Adds the gradients of one state's four rows; P is the gradient of that state."""
    threshold, hard, one, zero = c[THRESHOLD], c[HARD], c[ONE], c[ZERO]
    for m in range(x.size):
        fired = one if p[m] >= threshold else zero
        left[m] += P[m] * (p[m] * (one - hard * fired))
        other[m] += P[m] * q[m]
        fed[m] += P[m] * fired
        gain[m] += P[m] * x[m]


@pasted
def _forward(x: Array, s: Array, states: Array, pair: bool, by: Array, c: Array, lo: int, hi: int) -> None:
    p, q = np.zeros(hi - lo, x.dtype), np.zeros(hi - lo, x.dtype)
    kept, steps = states.shape[0] > 0, x.shape[0]
    for t in range(steps):
        if kept:
            copy(p, states[t, lo:hi])
            if pair:
                copy(q, states[steps + 1 + t, lo:hi])
        if pair:
            _advance(x[t, lo:hi], s[t, lo:hi], p, q, by[:, lo:hi], c)
        else:
            _advance_one(x[t, lo:hi], s[t, lo:hi], p, by[:, lo:hi], c)
    if kept:
        copy(p, states[steps, lo:hi])


@pasted
def _backward(
    g: Array,
    gx: Array,
    x: Array,
    states: Array,
    pair: bool,
    by: Array,
    sums: Array,
    kind: int,
    c: Array,
    lo: int,
    hi: int,
) -> None:
    steps = g.shape[0]
    P, Q, d = np.zeros(hi - lo, g.dtype), np.zeros(hi - lo, g.dtype), np.zeros(hi - lo, g.dtype)
    for t in range(steps - 1, -1, -1):
        gt, xt, to = g[t, lo:hi], x[t, lo:hi], gx[t, lo:hi]
        u, p = states[t + 1, lo:hi], states[t, lo:hi]
        slopes(kind, u, d, c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO])
        if pair:
            q = states[steps + 1 + t, lo:hi]
            _retreat(gt, xt, to, u, d, p, q, P, Q, by[:, lo:hi], sums[:, lo:hi], c)
        else:
            _retreat_one(gt, xt, to, u, d, p, P, by[:, lo:hi], sums[:, lo:hi], c)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, states (empty, T + 1 rows of p, or these and T of q), rows [8, M], c; number: two states."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, s, states = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        by, c = array(job, 3, real), array(job, 4, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, states, job[NUMBERS] > 0, by, c[0], lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, x, states, rows [8, M], sums [8, M] in float64, c; numbers: surrogate, two states."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, x, states = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        by, sums, c = array(job, 4, real), array(job, 5, np.float64), array(job, 6, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, x, states, job[NUMBERS + 1] > 0, by, sums, job[NUMBERS], c[0], lo, hi)
            block = take(job)

    return task
