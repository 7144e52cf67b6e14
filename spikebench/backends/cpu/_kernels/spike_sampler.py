"""The compiled loops of SpikeSampler. Arrays are [T, M], M series side by side; filters are [4·P, N], P of N neurons.

    h = a·h + x      y = Σ Re w·h + d·x      q = gain·y + bias      s = [uniform < q]        (h complex, P pairs)

Backward, e = g·[0 ≤ q ≤ 1] and dy = gain·e: the input's gradient is the same filter over dy in reverse. The parameters
need H = Σ dy·h and K = Σ dy·∂h/∂a, both carried forward in time. What forward keeps is y.

Series are taken W at a time, with the numbers of a pair side by side in one array: at constant distances a loop over
series vectorises without a check for overlaps. Four steps at once share what is loaded of the state.
"""

from typing import Any, cast

import numpy as np
from numba import njit

from spikebench.backends.cpu._kernels.philox import uniforms
from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    NUMBERS,
    OPTIONS,
    SERIES,
    SIZE,
    array,
    clear,
    compiled,
    copy,
    numbers,
    pasted,
    take,
)

W, STEPS = 128, 4
TIDE = 32  # steps that a tile of W series runs ahead, its state in the first-level cache

Array = np.ndarray
contracted = cast(Any, njit)(**OPTIONS, fastmath={"contract"})  # not inline: a tenth slower there


@contracted
def _filter(pair: Array, xy: Array) -> None:
    """Four steps of one pair (a, w, h; 6·W): adds Re w·h to xy's second half, for the inputs in its first."""
    for m in range(W):
        ar, ai, wr, wi = pair[m], pair[m + W], pair[m + 2 * W], pair[m + 3 * W]
        hr, hi = pair[m + 4 * W], pair[m + 5 * W]
        for k in range(STEPS):
            real = xy[m + k * W] + ar * hr - ai * hi
            hi = ar * hi + ai * hr
            hr = real
            xy[m + (STEPS + k) * W] = xy[m + (STEPS + k) * W] + wr * hr - wi * hi  # two fused multiply-adds
        pair[m + 4 * W], pair[m + 5 * W] = hr, hi


@contracted
def _learn(pair: Array, xy: Array) -> None:
    """Four steps of one pair (a, h, ∂h/∂a, H, K; 10·W) for inputs x and gradients dy, the halves of xy."""
    for m in range(W):
        ar, ai, hr, hi = pair[m], pair[m + W], pair[m + 2 * W], pair[m + 3 * W]
        kr, ki, sum_hr, sum_hi = pair[m + 4 * W], pair[m + 5 * W], pair[m + 6 * W], pair[m + 7 * W]
        sum_kr, sum_ki = pair[m + 8 * W], pair[m + 9 * W]
        for k in range(STEPS):
            dy = xy[m + (STEPS + k) * W]
            real = hr + ar * kr - ai * ki
            ki = hi + ar * ki + ai * kr
            kr = real
            real = xy[m + k * W] + ar * hr - ai * hi
            hi = ar * hi + ai * hr
            hr = real
            sum_hr += dy * hr
            sum_hi += dy * hi
            sum_kr += dy * kr
            sum_ki += dy * ki
        pair[m + 2 * W], pair[m + 3 * W], pair[m + 4 * W], pair[m + 5 * W] = hr, hi, kr, ki
        pair[m + 6 * W], pair[m + 7 * W], pair[m + 8 * W], pair[m + 9 * W] = sum_hr, sum_hi, sum_kr, sum_ki


@contracted
def _fire(xy: Array, linear: Array, uniform: Array, s: Array, y: Array, k: int, one: Any, zero: Any) -> None:
    """Spikes of step k of four, and y with the direct part added."""
    for m in range(s.size):
        ym = xy[m + (STEPS + k) * W] + linear[m] * xy[m + k * W]
        y[m] = ym
        s[m] = one if uniform[m] < linear[m + W] * ym + linear[m + 2 * W] else zero


@contracted
def _scaled(g: Array, y: Array, linear: Array, e: Array, k: int, zero: Any, one: Any) -> None:
    """e of a step into place k of four."""
    for m in range(g.size):
        q = linear[m + W] * y[m] + linear[m + 2 * W]
        e[m + k * W] = g[m] if zero <= q <= one else zero


@contracted
def _pass(xy: Array, linear: Array, gx: Array, k: int) -> None:
    for m in range(gx.size):
        gx[m] = xy[m + (STEPS + k) * W] + linear[m] * xy[m + k * W]


@contracted
def _add(g: Array, y: Array, x: Array, linear: Array, sums: Array, zero: Any, one: Any) -> None:
    """Adds a step's gradients of d, gain and bias to sums [3·W]."""
    for m in range(g.size):
        q = linear[m + W] * y[m] + linear[m + 2 * W]
        e = g[m] if zero <= q <= one else zero
        sums[m] += linear[m + W] * e * x[m]
        sums[m + W] += e * y[m]
        sums[m + 2 * W] += e


@compiled
def _multiply(a: Array, by: Array) -> None:
    for m in range(a.size):
        a[m] *= by[m]


@compiled
def _widen(sums: Array, totals: Array) -> None:
    """A row of sums as float64."""
    for m in range(sums.size):
        totals[m] = sums[m]


@compiled
def _gather(table: Array, row: int, start: int, n: int, to: Array, at: int) -> None:
    """The values of n neighbouring series, from a row of a table [rows, N], to `at` on."""
    m = start % table.shape[1]
    for j in range(n):
        to[at + j] = table[row, m]
        m = m + 1 if m + 1 < table.shape[1] else 0


@compiled
def _pairs(filters: Array, lo: int, hi: int, wide: int, given: int) -> Array:
    """State of all pairs of all tiles [tiles·P, wide·W]: `given` rows of the filters, then zeros."""
    tiles, count = -(-(hi - lo) // W), filters.shape[0] // 4
    pairs = np.zeros((tiles * count, wide * W), filters.dtype)
    for tile in range(tiles):
        start = lo + tile * W
        for p in range(count):
            for k in range(given):
                _gather(filters, k * count + p, start, min(W, hi - start), pairs[tile * count + p], k * W)
    return pairs


@compiled
def _linears(linear: Array, lo: int, hi: int) -> Array:
    """d, gain and bias of all tiles [tiles, 3·W]."""
    tiles = -(-(hi - lo) // W)
    out = np.zeros((tiles, 3 * W), linear.dtype)
    for tile in range(tiles):
        for k in range(3):
            _gather(linear, k, lo + tile * W, min(W, hi - lo - tile * W), out[tile], k * W)
    return out


@pasted
def _forward(
    x: Array, s: Array, y: Array, filters: Array, linear: Array, key: Array, series: int, lo: int, hi: int
) -> None:
    """Spikes s of series lo to hi, and y for backward, unless that is empty."""
    steps, count = x.shape[0], filters.shape[0] // 4
    pairs, lines = _pairs(filters, lo, hi, 6, 4), _linears(linear, lo, hi)
    xy, drawn, unsaved = np.zeros(2 * STEPS * W, x.dtype), np.empty((4, W), np.float32), np.empty(W, x.dtype)
    one, zero = x.dtype.type(1), x.dtype.type(0)
    for tide in range(0, steps, TIDE):
        for start in range(lo, hi, W):
            tile, stop = (start - lo) // W, min(start + W, hi)
            for first in range(tide, min(tide + TIDE, steps), STEPS):
                last = min(first + STEPS, steps)
                clear(xy)
                for t in range(first, last):
                    copy(x[t, start:stop], xy[(t - first) * W : (t - first) * W + stop - start])
                for p in range(count):
                    _filter(pairs[tile * count + p], xy)
                uniforms(drawn, stop - start, first // 4 * series + start, key[0], key[1], key[2], key[3])
                for t in range(first, last):
                    keep = y[t, start:stop] if y.shape[0] > 0 else unsaved[: stop - start]
                    _fire(xy, lines[tile], drawn[t - first], s[t, start:stop], keep, t - first, one, zero)


@pasted
def _backward(g: Array, gx: Array, y: Array, filters: Array, linear: Array, lo: int, hi: int) -> None:
    """The input's gradient of series lo to hi: the filter in reverse."""
    steps, count = g.shape[0], filters.shape[0] // 4
    pairs, lines = _pairs(filters, lo, hi, 6, 4), _linears(linear, lo, hi)
    xy = np.zeros(2 * STEPS * W, g.dtype)
    one, zero = g.dtype.type(1), g.dtype.type(0)
    for tide in range((steps - 1) // TIDE * TIDE, -1, -TIDE):
        for start in range(lo, hi, W):
            tile, stop = (start - lo) // W, min(start + W, hi)
            line = lines[tile]
            for first in range((min(tide + TIDE, steps) - 1) // STEPS * STEPS, tide - 1, -STEPS):
                clear(xy)
                for t in range(first, min(first + STEPS, steps)):
                    k = first + STEPS - 1 - t
                    _scaled(g[t, start:stop], y[t, start:stop], line, xy, k, zero, one)
                for k in range(STEPS):
                    _multiply(xy[k * W : (k + 1) * W], line[W : 2 * W])
                for p in range(count):
                    _filter(pairs[tile * count + p], xy)
                for t in range(first, min(first + STEPS, steps)):
                    _pass(xy, line, gx[t, start:stop], first + STEPS - 1 - t)


@pasted
def _parameters(g: Array, x: Array, y: Array, totals: Array, filters: Array, linear: Array, lo: int, hi: int) -> None:
    """Totals [4·P + 3, M] of series lo to hi: H and K, real and imaginary, then the gradients of d, gain and bias."""
    steps, count = g.shape[0], filters.shape[0] // 4
    pairs, lines = _pairs(filters, lo, hi, 10, 2), _linears(linear, lo, hi)
    xy, sums = np.zeros(2 * STEPS * W, g.dtype), np.zeros(lines.shape, g.dtype)
    one, zero = g.dtype.type(1), g.dtype.type(0)
    for tide in range(0, steps, TIDE):
        for start in range(lo, hi, W):
            tile, stop = (start - lo) // W, min(start + W, hi)
            line = lines[tile]
            for first in range(tide, min(tide + TIDE, steps), STEPS):
                clear(xy)
                for t in range(first, min(first + STEPS, steps)):
                    k = t - first
                    copy(x[t, start:stop], xy[k * W : k * W + stop - start])
                    _scaled(g[t, start:stop], y[t, start:stop], line, xy, STEPS + k, zero, one)
                    _add(g[t, start:stop], y[t, start:stop], x[t, start:stop], line, sums[tile], zero, one)
                for k in range(STEPS, 2 * STEPS):
                    _multiply(xy[k * W : (k + 1) * W], line[W : 2 * W])
                for p in range(count):
                    _learn(pairs[tile * count + p], xy)
    for start in range(lo, hi, W):
        tile, n = (start - lo) // W, min(W, hi - start)
        for k in range(4):
            for p in range(count):
                _widen(pairs[tile * count + p, (6 + k) * W : (6 + k) * W + n], totals[k * count + p, start : start + n])
        for k in range(3):
            _widen(sums[tile, k * W : k * W + n], totals[4 * count + k, start : start + n])


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, y, filters, linear and numbers k0, k1, site, call."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        x, s, y = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        filters, linear = array(job, 3, real), array(job, 4, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _forward(x, s, y, filters, linear, job[NUMBERS : NUMBERS + 4], job[SERIES], lo, hi)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, y, x, totals, filters, linear; gx and totals may be empty."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        g, gx, y, x = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        totals, filters, linear = array(job, 4, np.float64), array(job, 5, real), array(job, 6, real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            if gx.shape[0] > 0:
                _backward(g, gx, y, filters, linear, lo, hi)
            if totals.shape[0] > 0:
                _parameters(g, x, y, totals, filters, linear, lo, hi)
            block = take(job)

    return task
