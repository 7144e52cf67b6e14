"""The compiled loops of SPSN. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    i = syn·i + x      v = mem·v + leak·i      p = σ(gain·v)      s = [uniform < p]

The forward pass keeps the derivative of a spike by v, so that backward is two recurrences and draws nothing again.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from spikebench.backends.cpu._kernels.lane_functions import Parts, drawn, interleaved, logistic, logit, sigmoid
from spikebench.backends.cpu._kernels.lanes import CONTRACT, INT64, NEVER, Held, Lanes, Lines, constant, splat
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    LINE,
    NUMBERS,
    PAD,
    SERIES,
    SIZE,
    STREAMING,
    array,
    clear,
    compiled,
    copy,
    lined,
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
        x, s, slopes, state = (Lines(context, builder, signature.args[n], args[n], CONTRACT) for n in range(4))
        t, lo, at, lines, counter, *_ = args[4:]
        keys = [constant(context, builder, signature.args[9], args[9], n) for n in range(4)]
        c = [constant(context, builder, signature.args[10], args[10], n) for n in range(CONSTANTS)]
        save, streaming = (builder.icmp_signed("!=", flag, flag.type(0)) for flag in args[11:])
        relaxed = builder.fcmp_ordered(">", c[RELAXED], c[RELAXED].type(0.0))
        every = [Lanes(builder, splat(builder, number, x.kind.count), CONTRACT) for number in c]
        steps = [builder.add(t, INT64(k)) for k in range(4)]

        def draw(series: Any) -> Parts[list[Lanes]]:
            return drawn(builder, builder.add(counter, series), keys[:2], keys[2], keys[3], x.kind)

        ahead = Held(builder, interleaved(draw(INT64(0)))[0])  # of a line, drawn beside the sigmoids of the one before
        with cgutils.for_range(builder, lines, intp=lines.type) as loop:
            offset = builder.mul(loop.index, INT64(x.kind.count))
            m, here = builder.add(lo, offset), builder.add(at, offset)
            v, i, vs = state.load(INT64(0), here), state.load(INT64(1), here), []
            for step in steps:
                i = x.load(step, m) + every[SYN] * i
                v = every[MEM] * v + every[LEAK] * i
                vs.append(v)
            state.store(v, INT64(0), here, NEVER)
            state.store(i, INT64(1), here, NEVER)
            us = ahead.values()
            ps, later = interleaved(logistic(vs, every[GAIN]), draw(builder.add(offset, INT64(x.kind.count))))
            ahead.become(later)
            spikes = [u.chosen("<", p, 1.0, 0.0) for u, p in zip(us, ps, strict=True)]
            s.store_all([(spike, step, m) for spike, step in zip(spikes, steps, strict=True)], streaming)
            with builder.if_then(streaming):
                for step in steps:
                    x.ask(builder.add(step, INT64(4)), m)
            with builder.if_then(save), builder.if_else(relaxed) as (of_samples, of_spikes):
                with of_samples:
                    found = [_relaxed(every[GAIN] * v, u, every) for v, u in zip(vs, us, strict=True)]
                    slopes.store_all([(slope, step, m) for slope, step in zip(found, steps, strict=True)], streaming)
                with of_spikes:
                    found = [_sampled(p, every) for p in ps]
                    slopes.store_all([(slope, step, m) for slope, step in zip(found, steps, strict=True)], streaming)
        return context.get_dummy_value()

    return types.none(*(x, s, slopes, state, t, lo, at, lines, counter, key, c, save, streaming)), generate


@primitive
def _four_back(
    typing: Any, g: Any, gx: Any, slopes: Any, state: Any, t: Any, lo: Any, at: Any, lines: Any, c: Any, streaming: Any
) -> Any:
    """Four steps back from t + 3, of series whose sums over later steps, of v's and of i's gradient, are the rows of `state`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        g, gx, slopes, state = (Lines(context, builder, signature.args[n], args[n], CONTRACT) for n in range(4))
        t, lo, at, lines = args[4:8]
        c = [constant(context, builder, signature.args[8], args[8], n) for n in (MEM, SYN, LEAK)]
        mem, syn, leak = (Lanes(builder, splat(builder, number, g.kind.count), CONTRACT) for number in c)
        streaming = builder.icmp_signed("!=", args[9], args[9].type(0))
        steps = [builder.add(t, INT64(k)) for k in (3, 2, 1, 0)]
        with cgutils.for_range(builder, lines, intp=lines.type) as loop:
            offset = builder.mul(loop.index, INT64(g.kind.count))
            m, here = builder.add(lo, offset), builder.add(at, offset)
            qv, qi, found = state.load(INT64(0), here), state.load(INT64(1), here), []
            for step in steps:
                qv = mem * qv + g.load(step, m) * slopes.load(step, m)
                qi = syn * qi + leak * qv
                found.append((qi, step, m))
            gx.store_all(found, streaming)
            with builder.if_then(streaming):
                for step in steps:
                    g.ask(builder.sub(step, INT64(4)), m)
                    slopes.ask(builder.sub(step, INT64(4)), m)
            state.store(qv, INT64(0), here, NEVER)
            state.store(qi, INT64(1), here, NEVER)
        return context.get_dummy_value()

    return types.none(g, gx, slopes, state, t, lo, at, lines, c, streaming), generate


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


@compiled
def _lines_back(
    g: Array, gx: Array, slopes: Array, state: Array, t: int, lo: int, at: int, lines: int, c: Array, streaming: bool
) -> None:
    _four_back(g, gx, slopes, state, t, lo, at, lines, c, streaming)


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
    state, near, n, steps, save = lined(work), lined(edge), hi - lo, x.shape[0], slopes.shape[0] > 0
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
def _backward(
    g: Array,
    gx: Array,
    slopes: Array,
    c: Array,
    work: Array,
    edge: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Gradients gx of series lo to hi; `edge` as in `_forward`, with g, gradients and slopes."""
    state, near, n, steps = lined(work), lined(edge), hi - lo, g.shape[0]
    lanes = near.shape[1]
    clear(state)
    clear(near)
    for first in range((steps - 1) // 4 * 4, -1, -4):
        count, a = min(4, steps - first), 0
        if count == 4:
            _lines_back(g, gx, slopes, state, first, lo, 0, n // lanes, c, streaming)
            a = n // lanes * lanes
        while a < n:
            b = min(a + lanes, n)
            for k in range(count):
                copy(row(g, first + k, lo + a, lo + b), row(near, k, 0, b - a))
                copy(row(slopes, first + k, lo + a, lo + b), row(near, 8 + k, 0, b - a))
            _lines_back(near, near[4:], near[8:], state, 0, 0, a, 1, c, False)
            for k in range(count):
                copy(row(near, 4 + k, 0, b - a), row(gx, first + k, lo + a, lo + b))
            a = b


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, slopes, c and numbers k0, k1, site, call."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, slopes, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, edge = np.empty((3, job[SIZE] + PAD), real), np.zeros((13, LINE // x.itemsize), real)
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
        work, edge = np.empty((3, job[SIZE] + PAD), real), np.zeros((13, LINE // g.itemsize), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _backward(g, gx, slopes, c[0], work, edge, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task
