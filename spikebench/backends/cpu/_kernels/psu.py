"""The compiled loops of PSU. Arrays are [T, M], M series side by side; a row is one step of some neighbouring series.

    z = leak·z + rest·x      v = z − reset·r      s = [v ≥ threshold]      r = decay·(r + σ(z))

PSU has leak = decay and reset = threshold, PPSU leak = 0 and reset = 1.

Backward reads x again instead of two membranes: what forward keeps is (z, r) every STRIDE steps, and the steps between
are computed once more in the cache. But for the sigmoid nothing forward is contracted to a fused multiply-add.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from spikebench.backends.cpu._kernels.lane_functions import derivatives, interleaved, logistic
from spikebench.backends.cpu._kernels.lanes import CONTRACT, INT64, NEVER, Held, Lanes, Lines, constant, one_of, splat
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
    keep,
    lined,
    numbers,
    pasted,
    primitive,
    row,
    take,
)

STRIDE = 16  # steps between checkpoints
DECAY, REST, THRESHOLD, SLOPE, INNER, ONE, ZERO, LEAK, RESET, CONSTANTS = range(10)

Array = np.ndarray


@primitive
def _advance(
    typing: Any, x: Any, s: Any, state: Any, t: Any, lo: Any, at: Any, lines: Any, c: Any, streaming: Any
) -> Any:
    """Four steps from t on of so many lines of series from lo on, whose z and r stand at `at` in the rows of `state`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        x, s, state = (Lines(context, builder, signature.args[n], args[n]) for n in range(3))
        t, lo, at, lines = args[3:7]
        every = _constants(context, builder, signature.args[7], args[7], x.kind.count)
        streaming = builder.icmp_signed("!=", args[8], args[8].type(0))
        steps = [builder.add(t, INT64(k)) for k in range(4)]
        with cgutils.for_range(builder, lines, intp=lines.type) as loop:
            offset = builder.mul(loop.index, INT64(x.kind.count))
            m, here = builder.add(lo, offset), builder.add(at, offset)
            z, r, zs, found = state.load(INT64(0), here), state.load(INT64(1), here), [], []
            for step in steps:
                z = every[LEAK] * z + every[REST] * x.load(step, m)
                zs.append(z)
            (ps,) = interleaved(logistic(zs, every[ONE]))
            for step, z, p in zip(steps, zs, ps, strict=True):
                found.append(((z - every[RESET] * r).chosen(">=", every[THRESHOLD], 1.0, 0.0), step, m))
                r = every[DECAY] * (r + p)
            s.store_all(found, streaming)
            with builder.if_then(streaming):
                for step in steps:
                    x.ask(builder.add(step, INT64(4)), m)
            state.store(z, INT64(0), here, NEVER)
            state.store(r, INT64(1), here, NEVER)
        return context.get_dummy_value()

    return types.none(x, s, state, t, lo, at, lines, c, streaming), generate


def _constants(context: Any, builder: Any, kind: Any, c: Any, count: int, flags: tuple[str, ...] = ()) -> list[Lanes]:
    """The constants, each in every lane."""
    numbers = (constant(context, builder, kind, c, n) for n in range(CONSTANTS))
    return [Lanes(builder, splat(builder, number, count), flags) for number in numbers]


@primitive
def _retreat(
    typing: Any,
    g: Any,
    gx: Any,
    x: Any,
    checkpoints: Any,
    state: Any,
    part: Any,
    t: Any,
    count: Any,
    lo: Any,
    at: Any,
    lines: Any,
    kind: Any,
    c: Any,
    streaming: Any,
) -> Any:
    """`count` steps from t on, computed once more and then back, from checkpoint `part` and from qv and qz in `state`.

    qv is Σ decay^lag·dL/dv over steps from the next one on, qz is dL/dz.
    """

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        g, gx, x, checkpoints, state = (Lines(context, builder, signature.args[n], args[n]) for n in range(5))
        part, t, count, lo, at, lines, kind = args[5:12]
        every = _constants(context, builder, signature.args[12], args[12], x.kind.count, CONTRACT)
        streaming = builder.icmp_signed("!=", args[13], args[13].type(0))
        rows = [builder.add(builder.mul(part, INT64(2)), INT64(n)) for n in range(2)]
        kept = [cgutils.alloca_once(builder, x.kind, STRIDE) for _ in range(2)]  # slopes and pulls
        later = every[RESET] * every[DECAY]
        with cgutils.for_range(builder, lines, intp=lines.type) as loop:
            offset = builder.mul(loop.index, INT64(x.kind.count))
            m, here = builder.add(lo, offset), builder.add(at, offset)
            held = Held(builder, [checkpoints.load(n, m).flagged(CONTRACT) for n in rows])
            with cgutils.for_range(builder, count, intp=count.type) as inner:
                step = builder.add(t, inner.index)
                z, r = held.values()
                z = every[LEAK] * z + every[REST] * x.load(step, m).flagged(CONTRACT)
                away = abs(z - every[RESET] * r - every[THRESHOLD])
                slope = one_of(builder, kind, derivatives(away, every[SLOPE], every[INNER]))
                ((p,),) = interleaved(logistic([z], every[ONE]))
                r = every[DECAY] * (r + p)
                for value, place in zip((slope, p * (later - later * p)), kept, strict=True):
                    builder.store(value.value, builder.gep(place, [inner.index]))
                held.become([z, r])
                with builder.if_then(streaming):
                    x.ask(builder.sub(step, INT64(STRIDE)), m)
                    g.ask(builder.sub(step, INT64(STRIDE)), m)
            sums = Held(builder, [state.load(INT64(n), here).flagged(CONTRACT) for n in range(2)])
            with cgutils.for_range(builder, count, intp=count.type) as inner:
                k = builder.sub(builder.sub(count, INT64(1)), inner.index)
                step = builder.add(t, k)
                qv, qz = sums.values()
                slope, pull = (Lanes(builder, builder.load(builder.gep(place, [k])), CONTRACT) for place in kept)
                e = g.load(step, m).flagged(CONTRACT) * slope
                qz = every[LEAK] * qz + (e - pull * qv)
                qv = every[DECAY] * qv + e
                gx.store(every[REST] * qz, step, m, streaming)
                sums.become([qv, qz])
            for n, value in enumerate(sums.values()):
                state.store(value, INT64(n), here, NEVER)
        return context.get_dummy_value()

    return types.none(g, gx, x, checkpoints, state, part, t, count, lo, at, lines, kind, c, streaming), generate


@compiled
def _lines_on(
    x: Array, s: Array, state: Array, t: int, lo: int, at: int, lines: int, c: Array, streaming: bool
) -> None:
    _advance(x, s, state, t, lo, at, lines, c, streaming)


@compiled
def _lines_back(
    g: Array,
    gx: Array,
    x: Array,
    checkpoints: Array,
    state: Array,
    part: int,
    t: int,
    count: int,
    lo: int,
    at: int,
    lines: int,
    kind: int,
    c: Array,
    streaming: bool,
) -> None:
    _retreat(g, gx, x, checkpoints, state, part, t, count, lo, at, lines, kind, c, streaming)


@pasted
def _forward(
    x: Array, s: Array, checkpoints: Array, c: Array, work: Array, edge: Array, lo: int, hi: int, streaming: bool
) -> None:
    """Spikes s of series lo to hi; `edge` holds x and spikes of what is no whole line of series, or no four steps."""
    state, near, n, lanes = lined(work), lined(edge), hi - lo, edge.shape[1]
    clear(state)
    for first in range(0, x.shape[0], 4):
        count, a = min(4, x.shape[0] - first), 0
        if first % STRIDE == 0 and checkpoints.shape[0] > 0:
            for k in range(2):
                keep(row(state, k, 0, n), row(checkpoints, first // STRIDE * 2 + k, lo, hi), streaming)
        if count == 4:
            _lines_on(x, s, state, first, lo, 0, n // lanes, c, streaming)
            a = n // lanes * lanes
        while a < n:
            b = min(a + lanes, n)
            for k in range(count):
                copy(row(x, first + k, lo + a, lo + b), row(near, k, 0, b - a))
            _lines_on(near, near[4:], state, 0, 0, a, 1, c, False)
            for k in range(count):
                copy(row(near, 4 + k, 0, b - a), row(s, first + k, lo + a, lo + b))
            a = b


@pasted
def _backward(
    g: Array,
    gx: Array,
    x: Array,
    checkpoints: Array,
    kind: int,
    c: Array,
    work: Array,
    edge: Array,
    lo: int,
    hi: int,
    streaming: bool,
) -> None:
    """Gradients gx of series lo to hi; `edge` holds g, gx, x and a checkpoint of what is no whole line of series."""
    state, near, n, lanes = lined(work), lined(edge), hi - lo, edge.shape[1]
    whole, steps = n // lanes * lanes, g.shape[0]
    clear(state)
    for part in range((steps - 1) // STRIDE, -1, -1):
        first = part * STRIDE
        count = min(STRIDE, steps - first)
        _lines_back(g, gx, x, checkpoints, state, part, first, count, lo, 0, n // lanes, kind, c, streaming)
        if whole < n:
            for k in range(count):
                copy(row(g, first + k, lo + whole, hi), row(near, k, 0, n - whole))
                copy(row(x, first + k, lo + whole, hi), row(near, 2 * STRIDE + k, 0, n - whole))
            for k in range(2):
                copy(row(checkpoints, 2 * part + k, lo + whole, hi), row(near, 3 * STRIDE + k, 0, n - whole))
            out, left = near[STRIDE:], near[3 * STRIDE :]
            _lines_back(near, out, near[2 * STRIDE :], left, state, 0, 0, count, 0, whole, 1, kind, c, False)
            for k in range(count):
                copy(row(near, STRIDE + k, 0, n - whole), row(gx, first + k, lo + whole, hi))


def forward(real: Any, version: str) -> Any:
    """The task of arrays x, s, checkpoints, c."""

    def task(data: Any) -> None:
        job = numbers(data, 4)
        x, s, checkpoints, c = array(job, 0, real), array(job, 1, real), array(job, 2, real), array(job, 3, real)
        work, edge = np.empty((3, job[SIZE] + PAD), real), np.zeros((9, LINE // x.itemsize), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _forward(x, s, checkpoints, c[0], work, edge, lo, min(lo + job[SIZE], job[SERIES]), job[STREAMING] > 0)
            block = take(job)

    return task


def backward(real: Any, version: str) -> Any:
    """The task of arrays g, gx, x, checkpoints, c and the kind of surrogate."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        g, gx, x = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        checkpoints, c = array(job, 3, real), array(job, 4, real)
        work, edge = np.empty((3, job[SIZE] + PAD), real), np.zeros((3 * STRIDE + 3, LINE // x.itemsize), real)
        block = take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            hi = min(lo + job[SIZE], job[SERIES])
            _backward(g, gx, x, checkpoints, job[NUMBERS], c[0], work, edge, lo, hi, job[STREAMING] > 0)
            block = take(job)

    return task
