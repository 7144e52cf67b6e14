"""Live comparison in pairs: blocks of one fresh process per subject in random order, ratios of process medians."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikebench import stats, store
from spikebench.case import Case, with_changes
from spikebench.record import Record
from spikebench.runner import Session, Settings

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Comparison:
    """One subject against the baseline in one case; `ratio` is None when a side is not ok."""

    subject: str
    baseline: str
    case: Case
    metric: str
    ratio: stats.Ratio | None
    verdict: str | None
    status: str
    reason: str | None
    medians: tuple[float, float]  # of the process medians: baseline, subject

    def to_json(self) -> dict[str, Any]:
        """The row that `compare --json` prints."""
        r = self.ratio
        numbers = {"ratio": r and r.estimate, "low": r and r.low, "high": r and r.high, "n": r.n if r else 0}
        names = {"subject": self.subject, "baseline": self.baseline, "case": self.case.to_json()}
        return {**names, "metric": self.metric, **numbers, "verdict": self.verdict, "status": self.status} | {
            "reason": self.reason
        }


def compare(
    subjects: Sequence[str],
    case: Case,
    pairs: int = 10,
    settings: Settings | None = None,
    out: Path | None = None,
    metric: str = "latency",
    session: Session | None = None,
    progress: Progress | None = None,
    keep: list[Record] | None = None,
    floors: dict[str, float] | None = None,
) -> Iterator[Comparison]:
    """Weigh every subject against the first in `pairs` blocks at one case (its own subject does not matter).

    A subject named twice gives an A/A row. `floors` maps case ids to their A/A noise floors. Records are appended to `out` and added to `keep`. The order within a block is random, seeded
    by the case.
    """
    if session is None:
        with Session(settings or Settings()) as own:
            yield from compare(subjects, case, pairs, None, out, metric, own, progress, keep, floors)
        return
    cases = [with_changes(case, subject=s) for s in subjects]
    records: list[list[Record]] = [[] for _ in cases]
    order = random.Random(case.case_id)
    for block in range(pairs):
        indices = list(range(len(cases)))
        order.shuffle(indices)
        for i in indices:
            if records[i] and records[i][-1].status != "ok":
                continue
            metrics = (metric,) if block else (metric, "spike_rate")
            records[i].append(session.measure(cases[i], block, metrics))
            if out is not None:
                store.append(out, records[i][-1])
        if progress:
            progress(block + 1, pairs)
    if keep is not None:
        keep += [r for side in records for r in side]
    for i in range(1, len(cases)):
        floor = max((floors or {}).get(c.case_id, 0.0) for c in (cases[0], cases[i]))
        yield judge(cases[0], cases[i], records[0], records[i], metric, floor)


def judge(
    base: Case, other: Case, base_records: list[Record], records: list[Record], metric: str, floor: float
) -> Comparison:
    """The comparison of two lists of records, paired by block."""
    names = (other.subject, base.subject, other, metric)
    bad = next((r for r in [*base_records, *records] if r.status != "ok"), None)
    medians = [[_median(r, metric) for r in side] for side in (base_records, records)]
    if bad is not None:
        reason = f"{bad.case['subject']}: {bad.reason}"
        return Comparison(*names, None, None, bad.status, reason, (stats.median(medians[0]), stats.median(medians[1])))
    ratio = stats.paired_ratio(medians[0], medians[1])
    ungated = any("ungated" in r.flags for r in records)
    verdict = stats.verdict(ratio, floor)
    return Comparison(
        *names,
        ratio,
        verdict,
        "ok",
        "ungated" if ungated else None,
        (stats.median(medians[0]), stats.median(medians[1])),
    )


def _median(record: Record, metric: str) -> float:
    found = record.measurement(metric)
    return stats.median(found.samples) if found else float("nan")
