"""The states of a diagonal state-space model over a tile of time: pairs of complex numbers, some at a time in registers.

    h = a·h + x      y = Σ Re w·h      H = Σ dy·h      K = Σ dy·∂h/∂a        (h complex, P pairs of a series)

A tile is rows of neighbouring series: STEPS steps of inputs, and below them STEPS steps of y or dy. A line of series goes
through all steps of the tile with a few pairs, and through them again with the next ones.
"""

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils

from spikebench.backends.cpu._kernels.lanes import CONTRACT, INT64, NEVER, Held, Lanes, Lines
from spikebench.backends.cpu._kernels.primitives import clear, compiled, primitive, row

STEPS = 32  # steps of a tile, whose pages and lines wait in the second-level cache; four share their random numbers
FILTER, LEARN = 6, 10  # rows of a pair: a, w, h, or a, h, ∂h/∂a, H, K, each with its real and its imaginary part

Array = np.ndarray


def _through(rows: int, fixed: int, group: int, advance: Any) -> Any:
    """A compiled function that takes `group` pairs from number `first` on through a tile, their states in registers.

    Of a pair's `rows` the first are `fixed`. `advance(fixed, states, x, z)` is a step of one pair, for what stands in the
    first and in the second part of the tile; it returns what the second part becomes, and the new states.
    """

    @primitive
    def through(typing: Any, pairs: Any, tile: Any, first: Any, steps: Any, at: Any, lines: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            pairs, tile = (Lines(context, builder, signature.args[n], args[n], CONTRACT) for n in range(2))
            first, steps, at, lines = args[2:]
            top = builder.mul(first, INT64(rows))
            places = [[builder.add(top, INT64(rows * g + k)) for k in range(rows)] for g in range(group)]
            with cgutils.for_range(builder, lines, intp=lines.type) as line:
                here = builder.mul(line.index, INT64(tile.kind.count))
                m = builder.add(at, here)
                given = [[pairs.load(place, m) for place in of[:fixed]] for of in places]
                held = [Held(builder, [pairs.load(place, m) for place in of[fixed:]]) for of in places]
                with cgutils.for_range(builder, steps, intp=steps.type) as step:
                    below = builder.add(step.index, INT64(STEPS))
                    x, z = tile.load(step.index, here), tile.load(below, here)
                    before = z
                    for known, states in zip(given, held, strict=True):
                        z, found = advance(known, states.values(), x, z)
                        states.become(found)
                    if z is not before:
                        tile.store(z, below, here, NEVER)
                for of, states in zip(places, held, strict=True):
                    for place, value in zip(of[fixed:], states.values(), strict=True):
                        pairs.store(value, place, m, NEVER)
            return context.get_dummy_value()

        return types.none(pairs, tile, first, steps, at, lines), generate

    @compiled
    def taken(pairs: Array, tile: Array, first: int, steps: int, at: int, lines: int) -> None:
        through(pairs, tile, first, steps, at, lines)

    return taken


def _filtered(fixed: list[Lanes], states: list[Lanes], x: Lanes, y: Lanes) -> tuple[Lanes, list[Lanes]]:
    """One step of h, and y with Re w·h added."""
    (ar, ai, wr, wi), (hr, hi) = fixed, states
    hr, hi = x + ar * hr - ai * hi, ar * hi + ai * hr
    return y + wr * hr - wi * hi, [hr, hi]


def _learned(fixed: list[Lanes], states: list[Lanes], x: Lanes, dy: Lanes) -> tuple[Lanes, list[Lanes]]:
    """One step of h and ∂h/∂a, and of the sums H and K."""
    (ar, ai), (hr, hi, kr, ki, *sums) = fixed, states
    kr, ki = hr + ar * kr - ai * ki, hi + ar * ki + ai * kr
    hr, hi = x + ar * hr - ai * hi, ar * hi + ai * hr
    now = [hr, hi, kr, ki]
    return dy, [*now, *(total + dy * value for total, value in zip(sums, now, strict=True))]


# the 32 registers of AVX-512 hold four pairs of six numbers, or two of ten
_filter_four, _filter_one = (_through(FILTER, 4, group, _filtered) for group in (4, 1))
_learn_two, _learn_one = (_through(LEARN, 2, group, _learned) for group in (2, 1))


@compiled
def _gather(table: Array, k: int, start: int, to: Array) -> None:
    """The values of neighbouring series, from row k of a table [rows, N]."""
    m = start % table.shape[1]
    for j in range(to.size):
        to[j] = table[k, m]
        m = m + 1 if m + 1 < table.shape[1] else 0


@compiled
def fill_pairs(
    pairs: Array, lines: Array, filters: Array, linear: Array, lo: int, n: int, rows: int, given: int
) -> None:
    """Of n series from lo on: `given` rows of the filters for each pair and zero in its other rows; d, gain, bias."""
    count = filters.shape[0] // 4
    clear(pairs)
    clear(lines)
    for p in range(count):
        for k in range(given):
            _gather(filters, k * count + p, lo, row(pairs, p * rows + k, 0, n))
    for k in range(3):
        _gather(linear, k, lo, row(lines, k, 0, n))


@compiled
def filter_tile(pairs: Array, tile: Array, count: int, steps: int, at: int, lines: int) -> None:
    """Adds Re w·h of `count` pairs to the second part of a tile; `at`: the first series among those of the pairs."""
    p = 0
    while p + 4 <= count:
        _filter_four(pairs, tile, p, steps, at, lines)
        p += 4
    while p < count:
        _filter_one(pairs, tile, p, steps, at, lines)
        p += 1


@compiled
def learn_tile(pairs: Array, tile: Array, count: int, steps: int, at: int, lines: int) -> None:
    """Carries H and K of `count` pairs through a tile of inputs and dy."""
    p = 0
    while p + 2 <= count:
        _learn_two(pairs, tile, p, steps, at, lines)
        p += 2
    while p < count:
        _learn_one(pairs, tile, p, steps, at, lines)
        p += 1
