"""How many pairs a live comparison takes, fixed before the first, and what one pair gives."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from spikebench.analysis import stats
from spikebench.errors import Problem
from spikebench.records.record import FEWEST, Record

ERROR = 0.05
FEW_TURNS = 3
WIDEST = 2.0  # a ratio is quoted as a number where the ends of its interval differ by a smaller factor


def verdict(ratio: stats.Ratio, floor: float = 0.0) -> stats.Verdict:
    """The verdict on a ratio of pairs: that of `stats`, inconclusive below five pairs.

    It says which side is faster. By how much is another question, which an interval wider than WIDEST leaves open.
    """
    return stats.verdict(ratio, floor) if ratio.n >= FEWEST else "inconclusive"


def sides(base: Record, other: Record, metric: str = "latency") -> tuple[float, float]:
    """The two numbers of a pair of processes, whose quotient is their ratio: the medians; NaN where there is none.

    Of samples that were taken in turns the quotient is the median over the turns: a machine that changed its speed in
    between changed it for both sides of most turns. The other side is then the base's median over this quotient. Below
    FEW_TURNS in common, as of a launch that takes seconds, it is that of the medians: one sample of a fast base may stray.
    """
    found = [r.measurement(metric) for r in (base, other)]
    middle = [stats.median(m.samples) if m and m.samples else math.nan for m in found]
    turns = by_turn(base, metric), by_turn(other, metric)
    each = quotient(*turns) if min(map(len, turns)) >= FEW_TURNS else None
    return (middle[0], middle[0] / each) if each else (middle[0], middle[1])


def by_turn(record: Record, metric: str = "latency") -> list[float]:
    """The samples of a record by turn; empty if they were not taken in turns."""
    found = record.measurement(metric)
    return found.samples if found and found.detail.get("turns") else []


def quotient(base: Sequence[float], other: Sequence[float]) -> float | None:
    """Median over the turns that both sides had; None without a turn, or where noise made a time nothing."""
    each = list(zip(base, other, strict=False))
    return stats.median([a / b for a, b in each]) if each and all(a > 0 < b for a, b in each) else None


@dataclass(frozen=True)
class Pairs:
    """`first` pairs, then twice as many, and again, up to `last`; after each of these looks a clear verdict ends it.

    The error of 5 % is spent in equal parts: with k looks every look takes an interval of level 1 − 0.05/k, so that by
    Bonferroni's inequality all k hold the true ratio at once with at least 95 %, whatever the looks have in common and
    whichever ends the comparison. A verdict can be false only where its interval misses: faster or slower without a
    difference, same with one beyond the band. For one look this is the ordinary 95 % t interval.
    """

    first: int = 5
    last: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise Problem(f"{self.first}-{self.last} is not a number of pairs; write 10 or 5-20")

    @staticmethod
    def of(given: "Pairs | int | str") -> "Pairs":
        """Pairs from 10, "10" (exactly ten) or "5-20"."""
        if isinstance(given, Pairs):
            return given
        first, dash, last = str(given).partition("-")
        try:
            return Pairs(int(first), int(last if dash else first))
        except ValueError:
            raise Problem(f"{given!r} is not a number of pairs; write 10 or 5-20") from None

    @staticmethod
    def planned(records: Iterable[Record]) -> "Pairs | None":
        """The plan on these records with the most interim analyses; None where there is none, or what is none."""
        found: list[Pairs] = []
        for text in dict.fromkeys(r.pairs for r in records if r.pairs):
            with suppress(Problem):
                found.append(Pairs.of(text))
        return max(found, key=lambda plan: len(plan.looks), default=None)

    @property
    def looks(self) -> tuple[int, ...]:
        """The numbers of pairs after which the verdict is looked at."""
        found = [self.first]
        while found[-1] < self.last:
            found.append(min(2 * found[-1], self.last))
        return tuple(found)

    def ratio(self, baseline: Sequence[float], candidate: Sequence[float]) -> stats.Ratio:
        """The ratio of paired times at the level of one look; p is Bonferroni's over the looks."""
        looks = len(self.looks)
        level = 1 - ERROR / looks
        found = stats.paired_ratio(baseline, candidate, level)
        each = [a / b for a, b in zip(baseline, candidate, strict=True)]
        middle = stats.bootstrap_median(each, level) if len(each) > 1 else None
        return replace(found, p=min(1.0, looks * found.p), median=middle)

    def decided(self, baseline: Sequence[float], candidate: Sequence[float], floor: float = 0.0) -> bool:
        """Whether this many pairs are enough: the last look, or one with a clear verdict."""
        if len(candidate) >= self.last:
            return True
        times = [*baseline, *candidate]
        return (
            len(candidate) in self.looks
            and all(0 < t < math.inf for t in times)
            and verdict(self.ratio(baseline, candidate), floor) != "inconclusive"
        )
