"""The compiled loops of SpikeSampler. Arrays are [T, M], M series side by side; filters are [4·P, N], P of N neurons.

    h = a·h + x      y = Σ Re w·h + d·x      q = gain·y + bias      s = [uniform < q]        (h complex, P pairs)

Backward, e = g·[0 ≤ q ≤ 1] and dy = gain·e: the input's gradient is the same filter over dy in reverse. The parameters
need H = Σ dy·h and K = Σ dy·∂h/∂a, both carried forward in time. What forward keeps is y.

A tile of W series and STEPS steps is copied into a small array, in which the filters of `diagonal.py` run.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from spikebench.backends.cpu._kernels.diagonal import FILTER, LEARN, STEPS, fill_pairs, filter_tile, learn_tile
from spikebench.backends.cpu._kernels.lane_functions import uniforms
from spikebench.backends.cpu._kernels.lanes import CONTRACT, INT64, NEVER, Held, Lanes, Lines, constant
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    LINE,
    NUMBERS,
    PAD,
    SERIES,
    SIZE,
    STREAMING,
    array,
    compiled,
    copy,
    keep,
    lined,
    numbers,
    pasted,
    prefetch,
    primitive,
    row,
    take,
)

W = 128  # series of a tile
Array = np.ndarray


def _window(g: Lanes, y: Lanes, gain: Lanes, bias: Lanes) -> Lanes:
    """e = g·[0 ≤ q ≤ 1]."""
    q = gain * y + bias
    return q.chosen(">=", 0.0, q.chosen("<=", 1.0, g, 0.0), 0.0)


@primitive
def _direct(typing: Any, tile: Any, linear: Any, steps: Any, at: Any, lines: Any) -> Any:
    """Sets the second part of a tile to d times the first."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, linear = (Lines(context, builder, signature.args[n], args[n], CONTRACT) for n in range(2))
        steps, at, lines = args[2:]
        with cgutils.for_range(builder, lines, intp=lines.type) as line:
            here = builder.mul(line.index, INT64(tile.kind.count))
            d = linear.load(INT64(0), builder.add(at, here))
            with cgutils.for_range(builder, steps, intp=steps.type) as step:
                below = builder.add(step.index, INT64(STEPS))
                tile.store(d * tile.load(step.index, here), below, here, NEVER)
        return context.get_dummy_value()

    return types.none(tile, linear, steps, at, lines), generate


@primitive
def _fire(typing: Any, tile: Any, linear: Any, first: Any, at: Any, lines: Any, counter: Any, key: Any) -> Any:
    """Spikes of the four steps from `first` on into the first part of a tile, for y in its second."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, linear = (Lines(context, builder, signature.args[n], args[n], CONTRACT) for n in range(2))
        first, at, lines, counter = args[2:6]
        keys = [constant(context, builder, signature.args[6], args[6], n) for n in range(4)]
        with cgutils.for_range(builder, lines, intp=lines.type) as line:
            here = builder.mul(line.index, INT64(tile.kind.count))
            gain, bias = (linear.load(INT64(n), builder.add(at, here)) for n in (1, 2))
            drawn = uniforms(builder, builder.add(counter, here), keys[:2], keys[2], keys[3], tile.kind)
            for k, u in enumerate(drawn):
                step = builder.add(first, INT64(k))
                q = gain * tile.load(builder.add(step, INT64(STEPS)), here) + bias
                tile.store(u.chosen("<", q, 1.0, 0.0), step, here, NEVER)
        return context.get_dummy_value()

    return types.none(tile, linear, first, at, lines, counter, key), generate


@primitive
def _enter(typing: Any, tile: Any, linear: Any, steps: Any, at: Any, lines: Any) -> Any:
    """Sets a tile of g and y to dy and d·dy."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, linear = (Lines(context, builder, signature.args[n], args[n], CONTRACT) for n in range(2))
        steps, at, lines = args[2:]
        with cgutils.for_range(builder, lines, intp=lines.type) as line:
            here = builder.mul(line.index, INT64(tile.kind.count))
            d, gain, bias = (linear.load(INT64(n), builder.add(at, here)) for n in range(3))
            with cgutils.for_range(builder, steps, intp=steps.type) as step:
                below = builder.add(step.index, INT64(STEPS))
                dy = gain * _window(tile.load(step.index, here), tile.load(below, here), gain, bias)
                tile.store(dy, step.index, here, NEVER)
                tile.store(d * dy, below, here, NEVER)
        return context.get_dummy_value()

    return types.none(tile, linear, steps, at, lines), generate


@primitive
def _add(typing: Any, tile: Any, linear: Any, steps: Any, at: Any, lines: Any) -> Any:
    """Adds what a tile of x, g and y gives d, gain and bias to their sums, the next three rows, and sets g to dy."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tile, linear = (Lines(context, builder, signature.args[n], args[n], CONTRACT) for n in range(2))
        steps, at, lines = args[2:]
        with cgutils.for_range(builder, lines, intp=lines.type) as line:
            here = builder.mul(line.index, INT64(tile.kind.count))
            m = builder.add(at, here)
            gain, bias = (linear.load(INT64(n), m) for n in (1, 2))
            held = Held(builder, [linear.load(INT64(n), m) for n in range(3, 6)])
            with cgutils.for_range(builder, steps, intp=steps.type) as step:
                places = [builder.add(step.index, INT64(n * STEPS)) for n in range(3)]
                x, g, y = (tile.load(place, here) for place in places)
                e = _window(g, y, gain, bias)
                dy, (by_d, by_gain, by_bias) = gain * e, held.values()
                held.become([by_d + dy * x, by_gain + e * y, by_bias + e])
                tile.store(dy, places[1], here, NEVER)
            for n, value in enumerate(held.values()):
                linear.store(value, INT64(3 + n), m, NEVER)
        return context.get_dummy_value()

    return types.none(tile, linear, steps, at, lines), generate


@compiled
def _widen(sums: Array, totals: Array) -> None:
    """A row of sums as float64."""
    for m in range(sums.size):
        totals[m] = sums[m]


@pasted
def _forward(
    x: Array,
    s: Array,
    y: Array,
    filters: Array,
    linear: Array,
    key: Array,
    pairs: Array,
    lines: Array,
    tile: Array,
    lanes: int,
    series: int,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Spikes s of series lo to hi, and y for backward, unless that is empty."""
    pairs, lines, tile = lined(pairs), lined(lines), lined(tile)
    count, steps, save = filters.shape[0] // 4, x.shape[0], y.shape[0] > 0
    fill_pairs(pairs, lines, filters, linear, lo, hi - lo, FILTER, 4)
    for first in range(0, steps, STEPS):
        last = min(first + STEPS, steps)
        for a in range(lo, hi, W):
            b, at = min(a + W, hi), a - lo
            many = -(-(b - a) // lanes)
            for t in range(first, last):
                copy(row(x, t, a, b), row(tile, t - first, 0, b - a))
            _direct(tile, lines, last - first, at, many)
            filter_tile(pairs, tile, count, last - first, at, many)
            for t in range(first, last, 4):
                _fire(tile, lines, t - first, at, many, t // 4 * series + a, key)
            for t in range(first, last):
                keep(row(tile, t - first, 0, b - a), row(s, t, a, b), streaming)
                if save:
                    keep(row(tile, STEPS + t - first, 0, b - a), row(y, t, a, b), streaming)
                prefetch(x, t + STEPS, a, b)


@pasted
def _backward(
    g: Array,
    gx: Array,
    y: Array,
    filters: Array,
    linear: Array,
    pairs: Array,
    lines: Array,
    tile: Array,
    lanes: int,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """The input's gradient of series lo to hi: the filter in reverse."""
    pairs, lines, tile = lined(pairs), lined(lines), lined(tile)
    count, steps = filters.shape[0] // 4, g.shape[0]
    fill_pairs(pairs, lines, filters, linear, lo, hi - lo, FILTER, 4)
    for first in range((steps - 1) // STEPS * STEPS, -1, -STEPS):
        last = min(first + STEPS, steps)
        for a in range(lo, hi, W):
            b, at = min(a + W, hi), a - lo
            many = -(-(b - a) // lanes)
            for t in range(first, last):
                copy(row(g, t, a, b), row(tile, last - 1 - t, 0, b - a))
                copy(row(y, t, a, b), row(tile, STEPS + last - 1 - t, 0, b - a))
            _enter(tile, lines, last - first, at, many)
            filter_tile(pairs, tile, count, last - first, at, many)
            for t in range(first, last):
                keep(row(tile, STEPS + last - 1 - t, 0, b - a), row(gx, t, a, b), streaming)
                prefetch(g, t - STEPS, a, b)
                prefetch(y, t - STEPS, a, b)


@pasted
def _parameters(
    g: Array,
    x: Array,
    y: Array,
    totals: Array,
    filters: Array,
    linear: Array,
    pairs: Array,
    lines: Array,
    tile: Array,
    lanes: int,
    lo: int,
    hi: int,
) -> None:
    """Totals [4·P + 3, M] of series lo to hi: H and K, real and imaginary, then the gradients of d, gain and bias."""
    pairs, lines, tile = lined(pairs), lined(lines), lined(tile)
    count, steps = filters.shape[0] // 4, g.shape[0]
    fill_pairs(pairs, lines, filters, linear, lo, hi - lo, LEARN, 2)
    for first in range(0, steps, STEPS):
        last = min(first + STEPS, steps)
        for a in range(lo, hi, W):
            b, at = min(a + W, hi), a - lo
            many = -(-(b - a) // lanes)
            for t in range(first, last):
                copy(row(x, t, a, b), row(tile, t - first, 0, b - a))
                copy(row(g, t, a, b), row(tile, STEPS + t - first, 0, b - a))
                copy(row(y, t, a, b), row(tile, 2 * STEPS + t - first, 0, b - a))
                prefetch(x, t + STEPS, a, b)
                prefetch(g, t + STEPS, a, b)
                prefetch(y, t + STEPS, a, b)
            _add(tile, lines, last - first, at, many)
            learn_tile(pairs, tile, count, last - first, at, many)
    for p in range(count):
        for k in range(4):
            _widen(row(pairs, p * LEARN + 6 + k, 0, hi - lo), row(totals, k * count + p, lo, hi))
    for k in range(3):
        _widen(row(lines, 3 + k, 0, hi - lo), row(totals, 4 * count + k, lo, hi))


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, y, filters, linear and numbers k0, k1, site, call."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, s, y = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        filters, linear = array(job, 3, real), array(job, 4, real)
        key, lanes = job[NUMBERS : NUMBERS + 4], LINE // x.itemsize
        pairs = np.empty((filters.shape[0] // 4 * FILTER + 1, job[SIZE] + PAD), real)
        lines, tile = np.empty((4, job[SIZE] + PAD), real), np.zeros((2 * STEPS + 1, W + PAD), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            past = job[STREAMING] > 0
            _forward(x, s, y, filters, linear, key, pairs, lines, tile, lanes, job[SERIES], lo, hi, past)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, y, x, totals, filters, linear; gx and totals may be empty."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, y, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        totals, filters, linear = array(job, 4, np.float64), array(job, 5, real), array(job, 6, real)
        lanes = LINE // g.itemsize
        pairs = np.empty((filters.shape[0] // 4 * LEARN + 1, job[SIZE] + PAD), real)
        lines, tile = np.empty((7, job[SIZE] + PAD), real), np.zeros((3 * STEPS + 1, W + PAD), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            if gx.shape[0] > 0:
                _backward(g, gx, y, filters, linear, pairs, lines, tile, lanes, lo, hi, job[STREAMING] > 0)
            if totals.shape[0] > 0:
                _parameters(g, x, y, totals, filters, linear, pairs, lines, tile, lanes, lo, hi)
            block = take(job)

    return task
