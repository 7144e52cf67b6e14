"""The compiled loops of EventProp on a grid. Arrays are [T, M], M series side by side; the equations are those of `schemes/eventprop.py`."""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.primitives import (
    BLOCKS,
    PAD,
    SERIES,
    SIZE,
    array,
    bare,
    clear,
    compiled,
    numbers,
    row,
    take,
)

DECAY, SYNAPSE, THRESHOLD, RISE, LEVEL, LEAST, GAIN, SLOW, FAST, ONE, ZERO, CONSTANTS = range(12)

Array = np.ndarray


@compiled
def _step(x: Array, s: Array, rises: Array, i: Array, v: Array, c: Array) -> None:
    """One step of lif, and how fast the membrane would rise at the threshold."""
    decay, synapse, theta, rise, level, one, zero = (
        c[DECAY],
        c[SYNAPSE],
        c[THRESHOLD],
        c[RISE],
        c[LEVEL],
        c[ONE],
        c[ZERO],
    )
    for m in range(x.size):
        i[m] = synapse * i[m] + x[m]
        u = decay * v[m] + i[m]
        s[m] = one if u >= theta else zero
        rises[m] = rise * i[m] - level
        v[m] = u - theta * s[m]


@compiled
def _back(
    errors: Array, s: Array, rises: Array, by_current: Array, by_time: Array, p: Array, q: Array, c: Array
) -> None:
    """One step back; `by_current` and `by_time` are what arrives before it."""
    decay, synapse, level, least = c[DECAY], c[SYNAPSE], c[LEVEL], c[LEAST]
    gain, slow, fast = c[GAIN], c[SLOW], c[FAST]
    for m in range(errors.size):
        pull = -s[m] * (errors[m] - level * p[m]) / max(rises[m], least)
        p[m] = decay * (p[m] + pull)
        q[m] = synapse * (q[m] + pull)
        by_current[m] = gain * (p[m] - q[m])
        by_time[m] = slow * p[m] - fast * q[m]


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, spikes, rises and constants."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, rises, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work = np.empty((2, job[SIZE] + PAD), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            state = bare(work)
            clear(state)
            for t in range(x.shape[0]):
                to = row(s, t, lo, hi), row(rises, t, lo, hi)
                _step(row(x, t, lo, hi), to[0], to[1], row(state, 0, 0, hi - lo), row(state, 1, 0, hi - lo), c[0])
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays errors, spikes, rises, by_current, by_time and constants."""

    def task(data: Any) -> None:
        job = numbers(data, 6)
        errors, s, rises = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        by_current, by_time, c = array(job, 3, real), array(job, 4, real), array(job, 5, real)
        work = np.empty((2, job[SIZE] + PAD), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            state = bare(work)
            clear(state)
            p, q = row(state, 0, 0, hi - lo), row(state, 1, 0, hi - lo)
            for t in range(errors.shape[0] - 1, -1, -1):
                given = row(errors, t, lo, hi), row(s, t, lo, hi), row(rises, t, lo, hi)
                _back(given[0], given[1], given[2], row(by_current, t, lo, hi), row(by_time, t, lo, hi), p, q, c[0])
            block = take(job)

    return task
