"""Live comparison in pairs: blocks of one fresh process per subject in random order, and the ratio of each block."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from spikebench.analysis import paired
from spikebench.analysis.comparison import Comparison, judge
from spikebench.analysis.pairs import Pairs, sides
from spikebench.cases.case import Case, with_changes
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.run.session import Session, Settings

Progress = Callable[[int, int], None]


def compare(
    subjects: Sequence[str],
    case: Case,
    pairs: Pairs | int | str = "5-20",
    settings: Settings | None = None,
    out: Path | None = None,
    metric: str = "latency",
    session: Session | None = None,
    progress: Progress | None = None,
    keep: list[Record] | None = None,
    floors: dict[str, float] | None = None,
) -> Iterator[Comparison]:
    """Compare every subject with the first in blocks at one case (its own subject does not matter).

    A subject leaves the blocks when `pairs` has decided it. A subject named twice gives an A/A row. `floors` maps case
    ids to their A/A noise floors. Records are appended to `out` and added to `keep`. The order within a block is random,
    seeded by the case.
    """
    if session is None:
        with Session(settings or Settings()) as own:
            yield from compare(subjects, case, pairs, None, out, metric, own, progress, keep, floors)
        return
    plan, cases = Pairs.of(pairs), [with_changes(case, subject=s) for s in subjects]
    records: list[list[Record]] = [[] for _ in cases]
    bands = [max((floors or {}).get(c.case_id, 0.0) for c in (cases[0], other)) for other in cases]
    order, open_ = random.Random(case.case_id), list(range(1, len(cases)))
    for block in range(plan.last):
        indices = [0, *open_]
        order.shuffle(indices)
        metrics = (metric,) if block else (metric, "spike_rate")
        for i, measured in zip(indices, session.block([cases[i] for i in indices], block, metrics), strict=True):
            went_by = measured.environment | ({"aa_floor": bands[i]} if bands[i] else {})
            records[i].append(replace(measured, pairs=f"{plan.first}-{plan.last}", environment=went_by))
            if out is not None:
                store.append(out, records[i][-1])
        open_ = [i for i in open_ if not _over(plan, records[0], records[i], metric, bands[i])]
        if progress:
            progress(block + 1 if open_ else plan.last, plan.last)
        if not open_:
            break
    if keep is not None:
        keep += [r for side in records for r in side]
    for i in range(1, len(cases)):
        yield judge(cases[0], cases[i], records[0], records[i], metric, bands[i])


def _over(plan: Pairs, base: list[Record], other: list[Record], metric: str, floor: float) -> bool:
    """Whether a subject needs no further block: a side is not ok, or the verdict stands."""
    if any(r.status != "ok" for r in (base[-1], other[-1])):
        return True
    numbers = [sides(a, b, metric) for a, b in paired.pairs_of(base, other)]
    return plan.decided([a for a, _ in numbers], [b for _, b in numbers], floor)
