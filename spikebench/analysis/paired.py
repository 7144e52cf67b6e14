"""Makes ratios, verdicts and scaling exponents from records. Every table, page and figure takes them from here.

Two processes are a pair if they were measured in the same block: the same repeat of the same run. Nothing is compared,
averaged or fitted across two origins (`origin.Origin`).
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from spikebench.analysis import stats
from spikebench.analysis.pairs import Pairs, sides, verdict
from spikebench.analysis.select import medians
from spikebench.errors import Problem
from spikebench.records.flags import Flag
from spikebench.records.origin import Origin, apart, by_origin, origin
from spikebench.records.record import Record

__all__ = ["Origin", "Result", "Scaling", "by_origin", "compared", "corrected", "origin", "pairs_of"]
__all__ += ["point", "scaling", "scalings"]

Block = tuple[str, int, str]  # run, repeat and plan of the live comparison
POINT = ("workload", "network", "task", "mode", "T", "B", "N", "dtype", "device", "rate", "seed", "autocast")


@dataclass(frozen=True)
class Result:
    """One case against another: the ratio of their pairs and the verdict, or why there is none. Above 1 the other case is better.

    `medians` has for each side the median of its process medians. Their quotient is not the ratio, which is a mean over
    pairs. `runs` names the runs that the pairs are from. `q` is the false discovery rate, see `corrected`.
    """

    ratio: stats.Ratio | None
    verdict: stats.Verdict | None
    status: str = "ok"
    reason: str | None = None
    medians: tuple[float, float] = (math.nan, math.nan)
    runs: frozenset[str] = frozenset()
    q: float | None = None

    @property
    def n(self) -> int:
        """The number of pairs."""
        return self.ratio.n if self.ratio else 0

    @property
    def p(self) -> float:
        """The p of "no difference", Bonferroni's over the interim analyses."""
        return self.ratio.p if self.ratio else 1.0


def compared(base: Sequence[Record], other: Sequence[Record], metric: str = "latency", floor: float = 0.0) -> Result:
    """The records of one case against those of another, paired by block; less of the metric is better.

    A plan such as 5-20 on the records widens the interval for each of its interim analyses. `floor` is the noise floor
    as a share; one that the records know counts too. No pair is taken of a run in which a process of either side was not
    ok. If no run is left, status and reason are those of that process. Below five pairs the verdict is inconclusive.
    Raises Problem if the records are of several origins.
    """
    known = by_origin([*base, *other])
    if len(known) > 1:
        raise Problem(f"records of {apart(known)} are not compared; `spikebench diff` compares two runs")
    pairs = pairs_of(base, other)
    whole = [(a, b) for a, b in pairs if not any(math.isnan(v) for v in sides(a, b, metric))]
    if not whole:
        return _nothing(base, other, metric)
    plan = Pairs.planned(r for pair in whole for r in pair) or Pairs(len(whole), len(whole))
    numbers = [sides(a, b, metric) for a, b in whole]
    try:
        ratio = plan.ratio([a for a, _ in numbers], [b for _, b in numbers])
    except ValueError as error:
        return Result(None, None, "failed", str(error))
    band = max(floor, *(_floor(r) for pair in whole for r in pair))
    middle = (
        stats.median(medians([a for a, _ in whole], metric)),
        stats.median(medians([b for _, b in whole], metric)),
    )
    return Result(ratio, verdict(ratio, band), "ok", None, middle, frozenset(a.run for a, _ in whole))


def pairs_of(base: Sequence[Record], other: Sequence[Record]) -> list[tuple[Record, Record]]:
    """The pairs of two lists of records, from runs in which the processes of both were ok.

    Of several records in a block the first counts. The base may fail in a later block that it shares with other
    subjects only.
    """
    left, right = _by_block(base), _by_block(other)
    shared = [block for block in left if block in right]
    bad = {block[0] for block in shared if left[block].status != "ok"} | {r.run for r in other if r.status != "ok"}
    return [(left[block], right[block]) for block in shared if block[0] not in bad]


def _by_block(records: Sequence[Record]) -> dict[Block, Record]:
    found: dict[Block, Record] = {}
    for r in records:
        found.setdefault((r.run, r.repeat, r.pairs or ""), r)
    return found


def _floor(record: Record) -> float:
    """The noise floor that a live comparison went by."""
    found = record.environment.get("aa_floor")
    return float(found) if isinstance(found, int | float) and found >= 0 else 0.0


def _nothing(base: Sequence[Record], other: Sequence[Record], metric: str) -> Result:
    """Why there is no ratio."""
    middle = (stats.median(medians(base, metric)), stats.median(medians(other, metric)))
    bad = next((r for r in [*base, *other] if r.status != "ok"), None)
    if bad is not None:
        return Result(None, None, bad.status, f"{bad.case['subject']}: {bad.reason}", middle)
    return Result(None, None, "skipped", f"no block of a run holds both with {metric}", middle)


def corrected(results: Sequence[Result]) -> list[Result]:
    """Results with one baseline, each with its q: Benjamini and Hochberg's over all that were compared in the same runs.

    The family is what one command measured: rows of other runs on the same page change nothing. A verdict faster or
    slower with q > 0.05 is inconclusive.
    """
    families: dict[frozenset[str], list[int]] = defaultdict(list)
    for k, result in enumerate(results):
        if result.ratio is not None and result.n > 1:
            families[result.runs].append(k)
    made = list(results)
    for members in families.values():
        for k, q in zip(members, stats.false_discovery([results[k].p for k in members]), strict=True):
            made[k] = replace(results[k], q=q, verdict=stats.confirmed(results[k].verdict, q))
    return made


def point(record: Record, but: str = "") -> tuple[Any, ...]:
    """All of a case but its subject, and but for one more field."""
    return tuple(record.case.get(k) for k in POINT if k != but)


@dataclass(frozen=True)
class Scaling:
    """The scaling exponent of a subject: the slope of log time against log T between its two longest lengths.

    The interval is Welch's 95 % on the logs of the process medians; None with one process at a length. Times in which the
    host kept the device waiting have no exponent: they grow as the host's work does, and not as the kernel's.
    """

    T: tuple[int, int]
    exponent: float | None
    low: float | None
    high: float | None
    n: int

    @property
    def host_bound(self) -> bool:
        """Whether the times were the host's, so that there is no exponent."""
        return self.exponent is None

    def __str__(self) -> str:
        if self.exponent is None:
            return f"host-bound, n={self.n}"
        interval = f" [{self.low:.2f}, {self.high:.2f}]" if self.low is not None and self.high is not None else ""
        return f"{self.exponent:.2f}{interval}, n={self.n}"


def scaling(records: Sequence[Record], metric: str = "latency") -> Scaling | None:
    """The exponent of records that differ in T alone; None below two lengths. Raises Problem for several origins or cases."""
    if len(there := {(origin(r), r.case.get("subject"), point(r, "T")) for r in records}) > 1:
        raise Problem(f"{len(there)} cases or origins have no common scaling exponent")
    lengths: dict[int, list[float]] = defaultdict(list)
    for r in records:
        lengths[int(r.case["T"])] += [m for m in medians([r], metric) if 0 < m < math.inf]
    measured = sorted(T for T, found in lengths.items() if found)
    if len(measured) < 2:
        return None
    short, long = measured[-2:]
    if metric == "latency" and any(is_host_bound(r) for r in records if r.case["T"] in (short, long)):
        return Scaling((short, long), None, None, None, min(len(lengths[short]), len(lengths[long])))
    ratio, step = stats.unpaired_ratio(lengths[long], lengths[short]), math.log(long / short)
    low, high = (math.log(v) / step if 0 < v < math.inf else None for v in (ratio.low, ratio.high))
    return Scaling((short, long), math.log(ratio.estimate) / step, low, high, ratio.n)


def is_host_bound(record: Record) -> bool:
    """Whether what a user waited for was the host's work, and not the device's."""
    return Flag.HOST_BOUND in record.flags


def scalings(records: Iterable[Record], metric: str = "latency") -> list[tuple[list[Record], Scaling]]:
    """The exponent of every subject at every point of every origin, with the records that it is of."""
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for r in records:
        groups[origin(r), r.case.get("subject"), point(r, "T")].append(r)
    found = [(group, scaling(group, metric)) for group in groups.values()]
    return [(group, s) for group, s in found if s is not None]
