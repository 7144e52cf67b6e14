"""The verdicts of a report: every subject against the baseline of its case."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spikebench import units
from spikebench.analysis import noise, paired
from spikebench.analysis.select import medians
from spikebench.cases.subject import shown
from spikebench.records.origin import by_origin
from spikebench.records.record import Record

BASELINE = "lif@eager"


@dataclass(frozen=True)
class VerdictRow:
    """A subject against a baseline at one case: what is shown of `result`, whose verdict stands as one of all with this baseline."""

    case: str
    baseline: str
    subject: str
    times: tuple[str, ...]
    ratio: str
    result: paired.Result
    note: str
    origin: str = ""

    @property
    def verdict(self) -> str:
        """The verdict, and whether the subject was ungated."""
        return f"{self.result.verdict}{self.note}"


def verdicts(records: Sequence[Record], baseline: str | None = None) -> list[VerdictRow]:
    """Every subject against the baseline of its case, within each origin, where both were measured in the same blocks.

    The baseline is `baseline`, else lif@eager, else the slowest subject. The result is that of `paired.compared`.
    """
    found: list[VerdictRow] = []
    for where, part in by_origin(r for r in records if r.case["workload"] != "training").items():
        floors, points = noise.floors(part), defaultdict[Any, dict[str, list[Record]]](lambda: defaultdict(list))
        for r in part:
            points[paired.point(r)][str(r.case["subject"])].append(r)
        mine = [row for subjects in points.values() for row in _against(subjects, baseline, floors)]
        made: dict[int, VerdictRow] = {}
        for base in dict.fromkeys(row.baseline for row in mine):
            family = [k for k, row in enumerate(mine) if row.baseline == base]
            for k, result in zip(family, paired.corrected([mine[k].result for k in family]), strict=True):
                made[k] = replace(mine[k], result=result, origin=str(where))
        found += [made[k] for k in range(len(mine))]
    return found


def _against(subjects: dict[str, list[Record]], baseline: str | None, floors: dict[str, float]) -> Iterator[VerdictRow]:
    """The rows of one case: each subject against its baseline."""
    slowest = max(subjects, key=lambda s: max(medians(subjects[s]), default=0.0))
    called = {shown(s): s for s in subjects}
    base = next((called[b] for b in (shown(baseline or ""), BASELINE) if b in called), slowest)
    for subject, mine in subjects.items():
        floor = max(floors.get(side[0].case_id, 0.0) for side in (subjects[base], mine))
        result = paired.compared(subjects[base], mine, "latency", floor) if subject != base else None
        if result is None or (r := result.ratio) is None or r.n < 2:
            continue
        yield VerdictRow(
            case=_where(mine[0]),
            baseline=shown(base),
            subject=shown(subject),
            times=tuple(units.show(median, "s") for median in result.medians),
            ratio=units.ratio(r.estimate, r.low, r.high, r.n),
            result=result,
            note=" (ungated)" if any("ungated" in m.flags for m in mine) else "",
        )


def _where(r: Record) -> str:
    c = r.case
    what = " ".join(str(c[k]) for k in ("network", "task") if c.get(k))
    return f"{what + ', ' if what else ''}{c['mode']}, T = {c['T']:,}, B = {c['B']}, N = {c['N']}, {c['dtype']}, {c['device']}"
