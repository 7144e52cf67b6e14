"""Compares two files of records case by case: the process medians of one against those of the other."""

from collections import defaultdict
from dataclasses import asdict, dataclass

from spikebench.analysis import stats
from spikebench.analysis.printed import ComparisonRow, finite
from spikebench.analysis.select import medians
from spikebench.errors import Problem
from spikebench.records.origin import apart, by_origin
from spikebench.records.record import Record
from spikebench.records.schema import CaseJson

SAME = ("machine", "gpu", "threads", "placement", "isolation")


@dataclass(frozen=True)
class Difference:
    """A case of two runs: the ratio of the process medians of the first to those of the second, and what it says."""

    case: CaseJson
    metric: str
    ratio: stats.Ratio
    verdict: stats.Verdict | None
    reason: str | None
    q: float | None = None
    over_cases: stats.OverCases | None = None

    @property
    def subject(self) -> str:
        """What was measured in both runs."""
        return str(self.case["subject"])

    def to_json(self) -> ComparisonRow:
        """The row that `diff --json` prints."""
        r = self.ratio
        low, high = r.interval
        return {
            "subject": self.subject,
            "baseline": self.subject,
            "case": self.case,
            "metric": self.metric,
            "ratio": finite(r.estimate),
            "low": finite(low),
            "high": finite(high),
            "n": r.n,
            "verdict": self.verdict,
            "status": "ok",
            "reason": self.reason,
            "p": r.p,
            "q": self.q,
            "over_cases": self.over_cases and asdict(self.over_cases),
        }


def rows(
    base: list[Record], new: list[Record], metric: str, floors: dict[str, float], anyway: bool = False
) -> list[Difference]:
    """One row per case that both sides have; ratio > 1: the new side is better.

    The interval is Welch's on the logs of process medians; q is the false discovery rate over the cases, and
    `over_cases` their geometric mean, with the number of cases that one side did not complete. Raises Problem naming what differs between the machines of
    the two sides, unless `anyway`; then the reason of every row says it.
    A side of several origins is refused alike; with `anyway` its newest is compared.
    """
    differs, mixed = _differs(base, new), [_several(side, which) for side, which in ((base, "first"), (new, "second"))]
    base, new = (next(iter(by_origin(side).values()), []) for side in (base, new))
    if any(mixed) and not anyway:
        raise Problem(
            f"{'; '.join(filter(None, mixed))}; use --anyway to compare the newest of each, or give files of one"
        )
    differs += filter(None, mixed)
    if differs and not anyway:
        raise Problem(f"these runs cannot be compared: {'; '.join(differs)}; use --anyway to see them side by side")
    sides = [_medians(side, metric) for side in (base, new)]
    shared = [c for c in sides[0] if c in sides[1]]
    if not shared:
        raise Problem(
            f"no case with {metric} is ok on both sides; {len(sides[0])} on the first, {len(sides[1])} on the second"
        )
    cases = {r.case_id: r.case for r in [*base, *new]}
    note = "; ".join(differs) or None
    ratios = [stats.unpaired_ratio(sides[0][c], sides[1][c]) for c in shared]
    alone = len({r.case_id for r in [*base, *new]}) - len(shared)
    mean = stats.over_cases([*(finite(r.estimate) for r in ratios), *[None] * alone]) if len(shared) > 1 else None
    return [
        Difference(cases[c], metric, r, stats.confirmed(stats.verdict(r, floors.get(c, 0.0)), q), note, q, mean)
        for c, r, q in zip(shared, ratios, stats.false_discovery([r.p for r in ratios]), strict=True)
    ]


def _medians(records: list[Record], metric: str) -> dict[str, list[float]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        found[r.case_id].append(r)
    return {case: values for case, same in found.items() if (values := medians(same, metric))}


def _several(side: list[Record], which: str) -> str:
    """That a side is of several origins, of which only the newest is compared; empty if it is not."""
    origins = list(by_origin(side))
    return f"the {which} run holds {apart(origins)}, the newest {origins[0]}" if len(origins) > 1 else ""


def _differs(base: list[Record], new: list[Record]) -> list[str]:
    """What is not the same on both sides, in words."""
    found: list[str] = []
    for key in SAME:
        left, right = ({str(r.environment.get(key)) for r in side if r.environment} for side in (base, new))
        if left != right:
            found.append(f"{key} {', '.join(sorted(left))} against {', '.join(sorted(right))}")
    schemas = [{r.schema for r in side} for side in (base, new)]
    return [*found, f"schema {schemas[0]} against {schemas[1]}"] if schemas[0] != schemas[1] else found
