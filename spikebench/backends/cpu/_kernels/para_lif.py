"""The compiled loops of ParaLIF. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    i = syn·i + x      v = mem·v + leak·i      m = f(v)      s = [m − what it was > threshold], or [m > threshold]

f is the identity or max(scale·σ(scale·v) − shift, floor), which is σ, tanh or its positive part. Forward keeps m, of
which backward makes the slope of f. No loop writes and reads more than four rows: with more LLVM gives up its proof that
they do not overlap, and the loop stays scalar.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels import passes
from spikebench.backends.cpu._kernels.elementary import sigmoid
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
    row,
    take,
)
from spikebench.backends.cpu._kernels.surrogates import by_kind, derivative

MEM, SYN, LEAK, THRESHOLD, SLOPE, INNER, ONE, ZERO = range(8)
DELTA, SCALE, SHIFT, FLOOR, LEAST, CONSTANTS = range(8, 14)  # SCALE 0: f is the identity
# rows of a work array behind those of the pass: the next step's gradient by a difference, this step's, and zeros
LATER, NOW, NOTHING, ROWS = range(passes.BACKWARD, passes.BACKWARD + 4)

Array = np.ndarray
Scalar = np.floating


@inlined
def _normal(v: Scalar, scale: Scalar, shift: Scalar, floor: Scalar, least: Scalar, one: Scalar, zero: Scalar) -> Scalar:
    rest = scale * sigmoid(-abs(scale * v), one)  # small where f is flat, so that its slope keeps its digits
    m = one - rest if v > zero else rest - shift
    m = least if v > zero and m < least else m  # its sign is that of v
    return floor if m < floor else m


@inlined
def _normalise(v: Array, m: Array, c: Array) -> None:
    scale, shift, floor, least, one, zero = c[SCALE], c[SHIFT], c[FLOOR], c[LEAST], c[ONE], c[ZERO]
    if scale == zero:
        copy(v, m)
    else:
        for n in range(v.size):
            m[n] = _normal(v[n], scale, shift, floor, least, one, zero)


@inlined
def _integrate(x: Array, v: Array, i: Array, c: Array) -> None:
    syn, mem, leak = c[SYN], c[MEM], c[LEAK]
    for n in range(x.size):
        i_n = syn * i[n] + x[n]
        i[n] = i_n
        v[n] = mem * v[n] + leak * i_n


@inlined
def _fire(v: Array, m: Array, s: Array, c: Array) -> None:
    threshold, one, zero = c[THRESHOLD], c[ONE], c[ZERO]
    for n in range(v.size):
        m[n] = v[n]
        s[n] = one if v[n] > threshold else zero


@inlined
def _fire_above(m: Array, s: Array, c: Array) -> None:
    threshold, one, zero = c[THRESHOLD], c[ONE], c[ZERO]
    for n in range(m.size):
        s[n] = one if m[n] > threshold else zero


@inlined
def _fire_at_rise(v: Array, m: Array, s: Array, c: Array) -> None:
    """Spikes, and m in place of what it was."""
    threshold, one, zero = c[THRESHOLD], c[ONE], c[ZERO]
    scale, shift, floor, least = c[SCALE], c[SHIFT], c[FLOOR], c[LEAST]
    if scale == zero:
        for n in range(v.size):
            s[n] = one if v[n] - m[n] > threshold else zero
            m[n] = v[n]
    else:
        for n in range(v.size):
            now = _normal(v[n], scale, shift, floor, least, one, zero)
            s[n] = one if now - m[n] > threshold else zero
            m[n] = now


@pasted
def _step(x: Array, m: Array, s: Array, v: Array, i: Array, c: Array) -> None:
    delta = c[DELTA] > c[ZERO]
    if delta:
        _normalise(v, m, c)
    _integrate(x, v, i, c)
    if delta:
        _fire_at_rise(v, m, s, c)
    elif c[SCALE] == c[ZERO]:
        _fire(v, m, s, c)
    else:
        _normalise(v, m, c)
        _fire_above(m, s, c)


def _scaled_with(kind: int) -> Any:
    @inlined
    def scaled(g: Array, v: Array, q: Array, c: Array) -> None:
        mem, threshold, k, inner, one, zero = c[MEM], c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
        for n in range(g.size):
            q[n] = mem * q[n] + g[n] * derivative(v[n], kind, threshold, k, inner, one, zero)

    return scaled


def _differ_with(kind: int) -> Any:
    @inlined
    def differ(g: Array, m: Array, before: Array, now: Array, c: Array) -> None:
        threshold, k, inner, one, zero = c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
        for n in range(g.size):
            now[n] = g[n] * derivative(m[n] - before[n], kind, threshold, k, inner, one, zero)

    return differ


# of g, v, q, c: the gradient q by v, where m is v and no difference is taken
_scaled = by_kind(_scaled_with)
# of g, m, before, now, c: the gradient by m − before
_differ = by_kind(_differ_with)


@inlined
def _turn(now: Array, later: Array) -> None:
    """The gradient by m from those by its two differences, in place of `later`; `now` stays."""
    for n in range(now.size):
        later[n] = now[n] - later[n]


@inlined
def _through(e: Array, m: Array, q: Array, c: Array) -> None:
    """The gradient q by v from that by m."""
    mem, zero, scale, shift, floor = c[MEM], c[ZERO], c[SCALE], c[SHIFT], c[FLOOR]
    rest = c[ONE] - shift
    if scale == zero:
        for n in range(e.size):
            q[n] = mem * q[n] + e[n]
    else:
        for n in range(e.size):
            slope = zero if m[n] <= floor else shift + m[n] * (rest - m[n])
            q[n] = mem * q[n] + e[n] * slope


@inlined
def _pass(q: Array, i: Array, gx: Array, c: Array) -> None:
    syn, leak = c[SYN], c[LEAK]
    for n in range(q.size):
        by_x = syn * i[n] + leak * q[n]
        i[n] = by_x
        gx[n] = by_x


@pasted
def _back(t: int, g: Array, gx: Array, q: Array, i: Array, given: Any, lo: int) -> None:
    """One step of the pass back."""
    m, scratch, left, kind, c = given
    hi, at = lo + g.size, lo - left
    till, mt, delta = at + g.size, row(m, t, lo, hi), c[DELTA] > c[ZERO]
    if delta or c[SCALE] > c[ZERO]:
        now, later = row(scratch, NOW, at, till), row(scratch, LATER, at, till)
        _differ(kind, g, mt, row(m, t - 1, lo, hi) if delta and t > 0 else row(scratch, NOTHING, at, till), now, c)
        if delta:
            _turn(now, later)
        _through(later if delta else now, mt, q, c)
        if delta:
            copy(now, later)
    else:
        _scaled(kind, g, mt, q, c)
    _pass(q, i, gx, c)


_forward = passes.forward_of(_step)
_retrace = passes.backward_of(_back)


@pasted
def _backward(
    g: Array, gx: Array, m: Array, kind: int, c: Array, work: Array, lo: int, hi: int, streaming: bool
) -> None:
    scratch = bare(work)
    clear(scratch[:ROWS])
    _retrace((m, scratch, lo, kind, c), m, g, gx, scratch, 0, g.shape[0] - 1, lo, hi, streaming)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, m, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, m, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.FORWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, m, x[:0], 1, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, m, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        g, gx, m, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((ROWS, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, m, job[NUMBERS], c[0], work, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task
