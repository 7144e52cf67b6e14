"""The compiled loops of SPSN. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    i = syn·i + x      v = mem·v + leak·i      p = σ(gain·v)      s = [uniform < p]

The forward pass keeps the derivative of a spike by v, so that backward is two recurrences and draws nothing again.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from spikebench.backends.cpu._kernels import passes
from spikebench.backends.cpu._kernels.lanes import (
    INT32,
    INT64,
    NEVER,
    Lanes,
    Lines,
    constant,
    logit,
    one_of,
    sigmoid,
    splat,
    uniforms,
)
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    LINE,
    NUMBERS,
    PAD,
    SERIES,
    SIZE,
    STREAMING,
    array,
    bare,
    clear,
    compiled,
    copy,
    inlined,
    numbers,
    pasted,
    primitive,
    row,
    take,
)

MEM, SYN, LEAK, GAIN, AUTHORS, RELAXED, TAU, LEAST, ONE, ZERO, CONSTANTS = range(11)

Array = np.ndarray
Scalar = np.floating


def _sampled(p: Lanes, c: list[Lanes]) -> Lanes:
    """The slope of the sigmoid-Bernoulli estimators."""
    return p * (1.0 - p) * c[AUTHORS].chosen(">", 0.0, p, 1.0)


def _relaxed(y: Lanes, uniform: Lanes, c: list[Lanes]) -> Lanes:
    """The slope of the relaxed sample of Gumbel-softmax."""
    z = sigmoid((y - logit(uniform.chosen("<", c[LEAST], c[LEAST], uniform))) / c[TAU])
    return z * (1.0 - z) * (c[GAIN] / c[TAU])


@primitive
def _four(
    typing: Any,
    x: Any,
    s: Any,
    slopes: Any,
    state: Any,
    t: Any,
    lo: Any,
    at: Any,
    lines: Any,
    counter: Any,
    key: Any,
    c: Any,
    save: Any,
    streaming: Any,
) -> Any:
    """Four steps from t on of so many lines of series from lo on, whose v and i stand at `at` in the two rows of `state`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, s, slopes, state = (Lines(context, builder, signature.args[n], args[n]) for n in range(4))
        t, lo, at, lines, counter, *_ = args[4:]
        keys = [constant(context, builder, signature.args[9], args[9], n) for n in range(4)]
        c = [constant(context, builder, signature.args[10], args[10], n) for n in range(CONSTANTS)]
        save, streaming = (builder.icmp_signed("!=", flag, flag.type(0)) for flag in args[11:])
        relaxed = builder.zext(builder.fcmp_ordered(">", c[RELAXED], c[RELAXED].type(0.0)), INT32)
        every = [Lanes(builder, splat(builder, number, x.kind.count)) for number in c]
        with cgutils.for_range(builder, lines, intp=lines.type) as loop:
            offset = builder.mul(loop.index, INT64(x.kind.count))
            m, here = builder.add(lo, offset), builder.add(at, offset)
            v, i = state.load(INT64(0), here), state.load(INT64(1), here)
            drawn = uniforms(builder, builder.add(counter, offset), keys[:2], keys[2], keys[3], x.kind)
            for k, u in enumerate(drawn):
                step = builder.add(t, INT64(k))
                i = every[SYN] * i + x.load(step, m)
                v = every[MEM] * v + every[LEAK] * i
                y = every[GAIN] * v
                p = sigmoid(y)
                s.store(u.chosen("<", p, 1.0, 0.0), step, m, streaming)
                with builder.if_then(streaming):
                    x.ask(builder.add(step, INT64(4)), m)
                with builder.if_then(save):
                    both = (lambda p=p: _sampled(p, every), lambda y=y, u=u: _relaxed(y, u, every))
                    slopes.store(one_of(builder, relaxed, both), step, m, streaming)
            state.store(v, INT64(0), here, NEVER)
            state.store(i, INT64(1), here, NEVER)
        return context.get_dummy_value()

    return types.none(*(x, s, slopes, state, t, lo, at, lines, counter, key, c, save, streaming)), generate


@inlined
def _scaled(g: Array, slope: Array, qv: Array, decay: Scalar) -> None:
    for m in range(g.size):
        qv[m] = decay * qv[m] + g[m] * slope[m]


@inlined
def _pass(qv: Array, qi: Array, gx: Array, decay: Scalar, leak: Scalar) -> None:
    for m in range(qv.size):
        q = decay * qi[m] + leak * qv[m]
        qi[m] = q
        gx[m] = q


@compiled
def _lines(
    x: Array,
    s: Array,
    slopes: Array,
    state: Array,
    t: int,
    lo: int,
    at: int,
    lines: int,
    counter: int,
    key: Array,
    c: Array,
    save: bool,
    streaming: bool,
) -> None:
    _four(x, s, slopes, state, t, lo, at, lines, counter, key, c, save, streaming)


@pasted
def _forward(
    x: Array,
    s: Array,
    slopes: Array,
    c: Array,
    key: Array,
    work: Array,
    edge: Array,
    series: int,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Spikes s of series lo to hi, and for backward their slopes, unless that is empty.

    `edge` [12, a line] holds x, spikes and slopes of what is no whole line of series, or no four steps.
    """
    state, near, n, steps, save = bare(work), bare(edge), hi - lo, x.shape[0], slopes.shape[0] > 0
    lanes = near.shape[1]
    clear(state)
    for first in range(0, steps, 4):
        counter, count, a = first // 4 * series + lo, min(4, steps - first), 0
        if count == 4:
            _lines(x, s, slopes, state, first, lo, 0, n // lanes, counter, key, c, save, streaming)
            a = n // lanes * lanes
        while a < n:
            b = min(a + lanes, n)
            for k in range(count):
                copy(row(x, first + k, lo + a, lo + b), row(near, k, 0, b - a))
            _lines(near, near[4:], near[8:], state, 0, 0, a, 1, counter + a, key, c, save, False)
            for k in range(count):
                copy(row(near, 4 + k, 0, b - a), row(s, first + k, lo + a, lo + b))
                if save:
                    copy(row(near, 8 + k, 0, b - a), row(slopes, first + k, lo + a, lo + b))
            a = b


@pasted
def _back(t: int, g: Array, gx: Array, qv: Array, qi: Array, given: Any, lo: int) -> None:
    slopes, c = given
    _scaled(g, row(slopes, t, lo, lo + g.size), qv, c[MEM])
    _pass(qv, qi, gx, c[SYN], c[LEAK])


_retrace = passes.backward_of(_back)


@pasted
def _backward(g: Array, gx: Array, slopes: Array, c: Array, work: Array, lo: int, hi: int, streaming: bool) -> None:
    scratch = bare(work)
    clear(scratch[:2])
    _retrace((slopes, c), slopes, g, gx, scratch, 0, g.shape[0] - 1, lo, hi, streaming)


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, slopes, c and numbers k0, k1, site, call."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, edge = np.empty((2, job[SIZE] + PAD), real), np.zeros((12, LINE // x.itemsize), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _forward(
                x, s, slopes, c[0], job[NUMBERS : NUMBERS + 4], work, edge, job[SERIES], lo, hi, job[STREAMING] > 0
            )
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, slopes, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        g, gx, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, block = np.empty((passes.BACKWARD, job[SIZE] + PAD), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, slopes, c[0], work, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task
