"""Live comparison in pairs: blocks of one fresh process per subject in random order, and the ratio of each block."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikebench.analysis import paired, stats
from spikebench.analysis.pairs import Pairs, sides
from spikebench.cases.case import Case, with_changes
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.run.session import Session, Settings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Comparison:
    """One subject against the baseline in one case; `ratio` is None when a side is not ok. `result` is that of `paired.compared`.

    `over_cases` is the geometric mean of the ratios of the cases compared together.
    """

    subject: str
    baseline: str
    case: Case
    metric: str
    result: paired.Result
    reason: str | None
    over_cases: dict[str, Any] | None = None

    @property
    def ratio(self) -> stats.Ratio | None:
        """The ratio of the pairs."""
        return self.result.ratio

    @property
    def verdict(self) -> stats.Verdict | None:
        """The verdict, as one of those that were compared together where `together` was asked."""
        return self.result.verdict

    @property
    def status(self) -> str:
        """ok, or that of the record for which there is no ratio."""
        return self.result.status

    @property
    def medians(self) -> tuple[float, float]:
        """Of the process medians: baseline, subject."""
        return self.result.medians

    @property
    def q(self) -> float | None:
        """The false discovery rate."""
        return self.result.q

    def to_json(self) -> dict[str, Any]:
        """The row that `compare --json` prints."""
        r = self.ratio
        low, high = (r.low, r.high) if r and r.n > 1 else (None, None)
        numbers = {"ratio": r and r.estimate, "low": low, "high": high, "n": self.result.n}
        names = {"subject": self.subject, "baseline": self.baseline, "case": self.case.to_json()}
        median = dict(zip(("median", "median_low", "median_high"), (r and r.median) or (None, None, None), strict=True))
        many = {"p": r and r.p, "q": self.q, "over_cases": self.over_cases}
        said = {"verdict": self.verdict, "status": self.status, "reason": self.reason}
        finite = {k: v if v is None or math.isfinite(v) else None for k, v in numbers.items()}
        return {**names, "metric": self.metric, **finite, **said, **median, **many}


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
    """Weigh every subject against the first in blocks at one case (its own subject does not matter).

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


def judge(
    base: Case, other: Case, base_records: list[Record], records: list[Record], metric: str, floor: float
) -> Comparison:
    """The comparison of two lists of records, paired by block."""
    found = paired.compared(base_records, records, metric, floor)
    ungated = found.ratio is not None and any("ungated" in r.flags for r in records)
    names = (other.subject, base.subject, other, metric)
    return Comparison(*names, found, "ungated" if ungated else found.reason)


def together(rows: Sequence[Comparison]) -> list[Comparison]:
    """Rows that were compared together: each with its q and its subject's mean over cases; weak verdicts fall.

    Only with several cases is there anything to correct or to average.
    """
    made: dict[int, Comparison] = {}
    for baseline in dict.fromkeys(row.baseline for row in rows):
        mine = [i for i, row in enumerate(rows) if row.baseline == baseline]
        for i, result in zip(mine, paired.corrected([rows[i].result for i in mine]), strict=True):
            alike = [
                r.ratio and r.ratio.estimate for r in rows if (r.subject, r.baseline) == (rows[i].subject, baseline)
            ]
            mean = stats.over_cases(alike) if len(alike) > 1 else None
            made[i] = replace(rows[i], result=result, over_cases=mean)
    return [made[i] for i in range(len(rows))]
