"""The compiled loops of ParaLIF. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    i = syn·i + x      v = mem·v + leak·i      m = f(v)      s = [m − what it was > threshold], or [m > threshold]

f is the identity, σ, tanh or its positive part. Forward keeps v; backward makes m of it again.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu import passes
from spikebench.backends.cpu.elementary import sigmoid
from spikebench.backends.cpu.primitives import (
    BLOCKS,
    FAR,
    NUMBERS,
    PAD,
    SERIES,
    SIZE,
    array,
    bare,
    inlined,
    numbers,
    take,
)
from spikebench.backends.cpu.surrogates import by_kind, derivative

MEM, SYN, LEAK, THRESHOLD, SLOPE, INNER, ONE, ZERO, TWO, NORM, DELTA, CONSTANTS = range(12)
IDENTITY, SIGMOID, TANH, POSITIVE = range(4)  # NORM
LATER = passes.BACKWARD  # the row of a work array with the gradient of the next step's difference

Array = np.ndarray
Scalar = np.floating


@inlined
def _normalise(v: Array, m: Array, c: Array) -> None:
    one, zero, two, norm = c[ONE], c[ZERO], c[TWO], int(c[NORM])
    if norm == IDENTITY:
        for n in range(v.size):
            m[n] = v[n]
    elif norm == SIGMOID:
        for n in range(v.size):
            m[n] = sigmoid(v[n], one)
    elif norm == TANH:
        for n in range(v.size):
            m[n] = two * sigmoid(two * v[n], one) - one
    else:
        for n in range(v.size):
            y = two * sigmoid(two * v[n], one) - one
            m[n] = zero if y < zero else y


@inlined
def _integrate(x: Array, v: Array, i: Array, c: Array) -> None:
    syn, mem, leak = c[SYN], c[MEM], c[LEAK]
    for n in range(x.size):
        i_n = syn * i[n] + x[n]
        i[n] = i_n
        v[n] = mem * v[n] + leak * i_n


@inlined
def _fire(s: Array, before: Array, c: Array) -> None:
    """Spikes in place of m; `before` counts in the delta modes."""
    threshold, one, zero = c[THRESHOLD], c[ONE], c[ZERO]
    if c[DELTA] > zero:
        for n in range(s.size):
            s[n] = one if s[n] - before[n] > threshold else zero
    else:
        for n in range(s.size):
            s[n] = one if s[n] > threshold else zero


@inlined
def _step(x: Array, u: Array, s: Array, v: Array, i: Array, c: Array) -> None:
    if c[DELTA] > c[ZERO]:
        _normalise(v, u, c)
    _integrate(x, v, i, c)
    _normalise(v, s, c)
    _fire(s, u, c)
    u[:] = v


def _weigh_with(kind: int) -> Any:
    @inlined
    def weigh(g: Array, distance: Array, e: Array, c: Array) -> None:
        threshold, k, inner, one, zero = c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
        for n in range(g.size):
            e[n] = g[n] * derivative(distance[n], kind, threshold, k, inner, one, zero)

    return weigh


# of g, what is compared with the threshold, e, c: the gradient e by it
_weigh = by_kind(_weigh_with)


@inlined
def _differ(m: Array, before: Array) -> None:
    for n in range(m.size):
        before[n] = m[n] - before[n]


@inlined
def _turn(e: Array, later: Array) -> None:
    """The gradient by m from those by its two differences, in place of `e`; `later` becomes what e was."""
    for n in range(e.size):
        now = e[n]
        e[n] = now - later[n]
        later[n] = now


@inlined
def _through(e: Array, m: Array, v: Array, c: Array) -> None:
    """The gradient by v in place of that by m."""
    one, zero, norm = c[ONE], c[ZERO], int(c[NORM])
    if norm == SIGMOID:
        for n in range(e.size):
            e[n] = e[n] * (m[n] * (one - m[n]))
    elif norm == TANH:
        for n in range(e.size):
            e[n] = e[n] * (one - m[n] * m[n])
    elif norm == POSITIVE:
        for n in range(e.size):
            e[n] = e[n] * (one - m[n] * m[n]) if v[n] > zero else zero


@inlined
def _pass(e: Array, q: Array, i: Array, gx: Array, c: Array) -> None:
    syn, mem, leak = c[SYN], c[MEM], c[LEAK]
    for n in range(e.size):
        by_v = mem * q[n] + e[n]
        q[n] = by_v
        by_x = syn * i[n] + leak * by_v
        i[n] = by_x
        gx[n] = by_x


@inlined
def _back(t: int, g: Array, gx: Array, q: Array, i: Array, given: Any, lo: int) -> None:
    """One step of the pass back; gx holds what is on its way before it holds the gradient."""
    v, desk, left, kind, c = given
    hi, at = lo + g.size, lo - left
    later, m, before = desk[0, at : at + g.size], desk[1, at : at + g.size], desk[2, at : at + g.size]
    vt = v[t, lo:hi]
    _normalise(vt, m, c)
    if c[DELTA] > c[ZERO]:
        if t > 0:
            _normalise(v[t - 1, lo:hi], before, c)
        else:
            before[:] = c[ZERO]
        _differ(m, before)
        _weigh(kind, g, before, gx, c)
        _turn(gx, later)
    else:
        _weigh(kind, g, m, gx, c)
    _through(gx, m, vt, c)
    _pass(gx, q, i, gx, c)


_forward = passes.forward_of(_step)
_retrace = passes.backward_of(_back)


@inlined
def _backward(g: Array, gx: Array, v: Array, kind: int, c: Array, work: Array, lo: int, hi: int, far: bool) -> None:
    desk = bare(work)
    desk[: LATER + 1] = 0
    _retrace((v, desk[LATER:], lo, kind, c), v, g, gx, desk, 0, g.shape[0] - 1, lo, hi, far)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, v, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, v, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.FORWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, v, x[:0], 1, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[FAR] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, v, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        g, gx, v, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((LATER + 3, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, v, job[NUMBERS], c[0], work, lo, hi, job[FAR] > 0)
            block = take(job)

    return task
