"""Live comparison in pairs: blocks of one fresh process per subject in random order, and the ratio of each block."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikebench import stats, store
from spikebench.case import Case, with_changes
from spikebench.pairs import Pairs, sides
from spikebench.record import Record
from spikebench.runner import Session, Settings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Comparison:
    """One subject against the baseline in one case; `ratio` is None when a side is not ok.

    `q` is the false discovery rate among the cases compared together, `over_cases` their geometric mean.
    """

    subject: str
    baseline: str
    case: Case
    metric: str
    ratio: stats.Ratio | None
    verdict: stats.Verdict | None
    status: str
    reason: str | None
    medians: tuple[float, float]  # of the process medians: baseline, subject
    q: float | None = None
    over_cases: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The row that `compare --json` prints."""
        r = self.ratio
        numbers = {"ratio": r and r.estimate, "low": r and r.low, "high": r and r.high, "n": r.n if r else 0}
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
            records[i].append(replace(measured, pairs=f"{plan.first}-{plan.last}"))
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
        yield judge(cases[0], cases[i], records[0], records[i], metric, bands[i], plan)


def _over(plan: Pairs, base: list[Record], other: list[Record], metric: str, floor: float) -> bool:
    """Whether a subject needs no further block: a side is not ok, or the verdict stands."""
    if any(r.status != "ok" for r in (base[-1], other[-1])):
        return True
    return plan.decided(*_sides(base, other, metric), floor)


def judge(
    base: Case,
    other: Case,
    base_records: list[Record],
    records: list[Record],
    metric: str,
    floor: float,
    pairs: Pairs | None = None,
) -> Comparison:
    """The comparison of two lists of records, paired by block; without `pairs`, their number was fixed."""
    names = (other.subject, base.subject, other, metric)
    base_records = base_records[: len(records)]
    bad = next((r for r in [*base_records, *records] if r.status != "ok"), None)
    pair = _sides(base_records, records, metric)
    middle = stats.median(pair[0]), stats.median([_median(r, metric) for r in records])
    if bad is not None:
        reason = f"{bad.case['subject']}: {bad.reason}"
        return Comparison(*names, None, None, bad.status, reason, middle)
    ratio = (pairs or Pairs(len(records), len(records))).ratio(*pair)
    ungated = any("ungated" in r.flags for r in records)
    verdict = stats.verdict(ratio, floor)
    return Comparison(
        *names,
        ratio,
        verdict,
        "ok",
        "ungated" if ungated else None,
        middle,
    )


def together(rows: Sequence[Comparison]) -> list[Comparison]:
    """Rows that were compared together: each with its q and its subject's mean over cases; weak verdicts fall.

    Only with several cases is there anything to correct or to average.
    """
    found = [i for i, row in enumerate(rows) if row.ratio is not None]
    q = dict(zip(found, stats.false_discovery([r.p for row in rows if (r := row.ratio)]), strict=True))
    made: list[Comparison] = []
    for i, row in enumerate(rows):
        alike = [r.ratio and r.ratio.estimate for r in rows if (r.subject, r.baseline) == (row.subject, row.baseline)]
        mean = stats.over_cases(alike) if len(alike) > 1 else None
        verdict = stats.confirmed(row.verdict, q[i]) if i in q else row.verdict
        made.append(replace(row, verdict=verdict, q=q.get(i), over_cases=mean))
    return made


def _sides(base: list[Record], other: list[Record], metric: str) -> tuple[list[float], list[float]]:
    """The numbers of each block; of a baseline that went on alone, those blocks it shares."""
    found = [sides(a, b, metric) for a, b in zip(base, other, strict=False)]
    return [a for a, _ in found], [b for _, b in found]


def _median(record: Record, metric: str) -> float:
    found = record.measurement(metric)
    return stats.median(found.samples) if found else float("nan")
