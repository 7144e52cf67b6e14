"""Measures blocks: one fresh process for each of several cases, in random order, so that a baseline is measured once for all.

What slows the machine for a while slows a whole block, and the ratios within it hardly change. `analysis.paired` takes
the records of a block as pairs.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from spikebench.analysis import paired
from spikebench.analysis.pairs import Pairs, sides
from spikebench.cases.case import Case
from spikebench.records.record import Record
from spikebench.run.session import Session

Keep = Callable[[Record], None]
Progress = Callable[[int, int], None]


def metrics_of(metric: str, block: int) -> tuple[str, ...]:
    """The metrics that a block samples: the one that is compared, and in the first block the spike rate too."""
    return (metric, "spike_rate") if block == 0 and metric != "spike_rate" else (metric,)


def block(
    session: Session, cases: Sequence[Case], repeat: int, metrics: tuple[str, ...], order: random.Random
) -> list[tuple[int, Record]]:
    """Measure cases in an order drawn from `order`: the place of each among `cases` and its record, as they were measured."""
    places = list(range(len(cases)))
    order.shuffle(places)
    return list(zip(places, session.block([cases[k] for k in places], repeat, metrics), strict=True))


def compared(
    session: Session,
    cases: Sequence[Case],
    plan: Pairs,
    metric: str,
    bands: Sequence[float],
    keep: Keep,
    progress: Progress | None = None,
) -> list[list[Record]]:
    """Measure blocks of cases, the first of which is the baseline, until `plan` has decided every other; the records of each.

    A case leaves the blocks when an interim analysis has decided it, or when it or the baseline is not ok. `bands` are
    the noise floors that the verdicts go by, one for each case. The order is seeded by the baseline.
    """
    records: list[list[Record]] = [[] for _ in cases]
    order, open_ = random.Random(cases[0].case_id), list(range(1, len(cases)))
    for number in range(plan.last):
        there = [0, *open_]
        for place, measured in block(session, [cases[i] for i in there], number, metrics_of(metric, number), order):
            i = there[place]
            went_by = measured.environment | ({"aa_floor": bands[i]} if bands[i] else {})
            records[i].append(replace(measured, pairs=f"{plan.first}-{plan.last}", environment=went_by))
            keep(records[i][-1])
        open_ = [i for i in open_ if not _over(plan, records[0], records[i], metric, bands[i])]
        if progress:
            progress(number + 1 if open_ else plan.last, plan.last)
        if not open_:
            break
    return records


def _over(plan: Pairs, base: list[Record], other: list[Record], metric: str, floor: float) -> bool:
    """Whether a case needs no further block: a side is not ok, or the verdict stands."""
    if any(r.status != "ok" for r in (base[-1], other[-1])):
        return True
    numbers = [sides(a, b, metric) for a, b in paired.pairs_of(base, other)]
    return plan.decided([a for a, _ in numbers], [b for _, b in numbers], floor)
