"""The compiled loops over events of a layer that fires in continuous time, with synapses. A row is one item of the batch.

The equations are those of `schemes/fast_and_deep.py`. Between two events a neuron's state is A and B at the event before.
Backward, P and Q are kept as they would be at the end of the sample, P(t) = P̃ e^{(t − end)/τ}, so that one exponential serves all neurons.
"""

import math
from typing import Any, cast

import numpy as np
from numba import njit

from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    NUMBERS,
    OPTIONS,
    SERIES,
    SIZE,
    array,
    bare,
    compiled,
    numbers,
    row,
    take,
)

TAU, THRESHOLD, GAIN, LEAST, CONSTANTS = range(5)

Array = np.ndarray
summing = cast(Any, njit)(
    **OPTIONS, fastmath={"contract", "reassoc", "nsz"}
)  # sums in any order, of numbers and no NaN


@compiled
def _near(a: Array, b: Array, four: float, twice: float) -> int:
    """How many neurons cross the threshold before the next event; `four` is 4θ, `twice` 2e^{−Δ/τ} of the time to it."""
    hits = 0
    for m in range(a.size):
        square = b[m] * b[m] - four * a[m]
        below = b[m] + math.sqrt(max(square, 0.0))
        hits += int((a[m] > 0.0) & (square >= 0.0) & (twice * a[m] <= below) & (2.0 * a[m] > below))
    return hits


@compiled
def _passed(a: Array, b: Array, w: Array, p: float, gain: float) -> None:
    """The time to an event passes, and its weights come."""
    for m in range(a.size):
        more = gain * w[m]
        b[m] = b[m] * p + more
        a[m] = a[m] * (p * p) + more


@compiled
def _fires(
    a: Array, b: Array, count: Array, times: Array, rises: Array, now: float, here: float, most: int, c: Array
) -> None:
    """The spikes from an event to the next one."""
    tau, theta = c[TAU], c[THRESHOLD]
    for m in range(a.size):
        while a[m] > 0.0 and count[m] < most:
            square = b[m] * b[m] - 4.0 * theta * a[m]
            if square < 0.0:
                break
            x = math.sqrt(square)
            y = 2.0 * a[m] / (b[m] + x)
            if not y > 1.0:  # it would have been before the event
                break
            t = now + tau * math.log(y)
            if t > here:
                break
            place = m * most + int(count[m])
            times[place], rises[place] = t, x / (y * tau)
            count[m] += 1.0
            b[m] -= theta * y


@compiled
def _forward(
    end: Array, at: Array, channel: Array, w: Array, times: Array, rises: Array, c: Array, work: Array, most: int, item: int
) -> None:  # fmt: skip
    state, n = bare(work), w.shape[1]
    a, b, count = row(state, 0, 0, n), row(state, 1, 0, n), row(state, 2, 0, n)
    for m in range(n):
        a[m] = b[m] = count[m] = 0.0
    now, last, tau = 0.0, end[0, item], c[TAU]
    out, slopes = row(times, item, 0, n * most), row(rises, item, 0, n * most)
    for e in range(at.shape[1] + 1):
        here = min(at[item, e], last) if e < at.shape[1] else last
        p = math.exp((now - here) / tau)
        if _near(a, b, 4.0 * c[THRESHOLD], 2.0 * p) > 0:
            _fires(a, b, count, out, slopes, now, here, most, c)
        if here >= last:
            break
        _passed(a, b, row(w, int(channel[item, e]), 0, n), p, c[GAIN])
        now = here


@compiled
def _due(next_: Array, t: float) -> int:
    found = 0
    for m in range(next_.size):
        found += int(next_[m] > t)
    return found


@compiled
def _pulled(
    p: Array, q: Array, next_: Array, left: Array, errors: Array, times: Array, rises: Array, t: float, end: float, most: int, c: Array
) -> None:  # fmt: skip
    """What spikes after t pull, from the last to the first."""
    tau, theta = c[TAU], c[THRESHOLD]
    for m in range(p.size):
        while next_[m] > t:
            place = m * most + int(left[m]) - 1
            y = math.exp((end - times[place]) / tau)
            pull = -(errors[place] - theta / tau * p[m] / y) / max(rises[place], c[LEAST])
            p[m] += pull * y
            q[m] += pull * y * y
            left[m] -= 1.0
            next_[m] = times[place - 1] if left[m] > 0.0 else -math.inf


@summing
def _learned(p: Array, q: Array, w: Array, sums: Array, f: float, gain: float, tau: float) -> float:
    """Adds the gradient of the weights that an event came through, and gives its error."""
    by_time, slow, fast = 0.0, gain * f, gain * f * f
    for m in range(p.size):
        one, two = slow * p[m], fast * q[m]
        sums[m] += one - two
        by_time += w[m] * (one - 2.0 * two)
    return by_time / tau


@compiled
def _backward(
    end: Array, at: Array, channel: Array, w: Array, times: Array, rises: Array, errors: Array, sums: Array, by_time: Array, c: Array,
    work: Array, most: int, block: int, item: int,
) -> None:  # fmt: skip
    state, n = bare(work), w.shape[1]
    p, q, next_, left = row(state, 0, 0, n), row(state, 1, 0, n), row(state, 2, 0, n), row(state, 3, 0, n)
    out, slopes = row(times, item, 0, n * most), row(rises, item, 0, n * most)
    given, last, tau = row(errors, item, 0, n * most), end[0, item], c[TAU]
    for m in range(n):
        p[m] = q[m] = left[m] = 0.0
        while left[m] < most and out[m * most + int(left[m])] < math.inf:
            left[m] += 1.0
        next_[m] = out[m * most + int(left[m]) - 1] if left[m] > 0.0 else -math.inf
    for e in range(at.shape[1] - 1, -1, -1):
        t = at[item, e]
        if t >= last:
            continue
        if _due(next_, t) > 0:
            _pulled(p, q, next_, left, given, out, slopes, t, last, most, c)
        where = int(channel[item, e])
        to, f = row(sums, block, where * n, where * n + n), math.exp((t - last) / tau)
        by_time[item, e] = _learned(p, q, row(w, where, 0, n), to, f, c[GAIN], tau)


def forward(real: Any, version: str) -> Any:
    """The task of arrays end [1, B], at and channel [B, E], w [C, N], times and rises [B, N·K], constants, and K."""

    def task(data: Any) -> None:
        job = numbers(data, 7)
        end, at, channel, w = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        times, rises, c = array(job, 4, real), array(job, 5, real), array(job, 6, real)
        work = np.empty((3, w.shape[1]), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            for item in range(lo, min(lo + job[SIZE], job[SERIES])):
                _forward(end, at, channel, w, times, rises, c[0], work, job[NUMBERS], item)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays end, at, channel, w, times, rises, errors [B, N·K], sums [blocks, C·N], by_time [B, E], constants, and K."""

    def task(data: Any) -> None:
        job = numbers(data, 10)
        end, at, channel, w = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        times, rises, errors = array(job, 4, real), array(job, 5, real), array(job, 6, real)
        sums, by_time, c = array(job, 7, real), array(job, 8, real), array(job, 9, real)
        work = np.empty((4, w.shape[1]), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            for item in range(lo, min(lo + job[SIZE], job[SERIES])):
                _backward(
                    end, at, channel, w, times, rises, errors, sums, by_time, c[0], work, job[NUMBERS], block, item
                )
            block = take(job)

    return task
