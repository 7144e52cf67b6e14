"""How many pairs a live comparison takes, which is fixed before the first, and what number one pair gives."""

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from spikebench.analysis import stats
from spikebench.analysis.select import middle
from spikebench.errors import Problem
from spikebench.records.record import FEWEST, Record

ERROR = 0.05
FEW_ROUNDS = 3
MOST = 10_000  # pairs
WIDEST = 2.0  # a ratio is quoted as a number where the ends of its interval differ by a smaller factor


def verdict(ratio: stats.Ratio, floor: float = 0.0) -> stats.Verdict:
    """The verdict on a ratio of pairs: that of `stats`, inconclusive below five pairs.

    It says which side is faster. By how much is another question, which an interval wider than WIDEST leaves open.
    """
    return stats.verdict(ratio, floor) if ratio.n >= FEWEST else "inconclusive"


def sides(base: Record, other: Record, metric: str = "latency") -> tuple[float, float]:
    """The two times of a pair of processes, whose quotient is the ratio of the pair; NaN where a process has no samples.

    They are the medians of both processes, unless the samples were interleaved. Interleaved processes take one sample
    each in every round, and the quotient is then the median over the rounds of the ratio within a round. A machine that
    changed its speed in between changed it for both sides of most rounds. The second number is then the median of the
    base over this quotient. Below FEW_ROUNDS rounds, as with a launch that takes seconds, the medians are used again,
    because one sample of a fast base may stray.
    """
    left, right = middle(base, metric), middle(other, metric)
    rounds = by_round(base, metric), by_round(other, metric)
    each = quotient(*rounds) if min(map(len, rounds)) >= FEW_ROUNDS else None
    return (left, left / each) if each else (left, right)


def by_round(record: Record, metric: str = "latency") -> list[float]:
    """The samples of a record, one a round; empty if they were not interleaved with those of other processes."""
    found = record.measurement(metric)
    return found.samples if found and found.detail.get("interleaved") else []


def quotient(base: Sequence[float], other: Sequence[float]) -> float | None:
    """The median ratio over the rounds that both sides had; None without a round, or where noise made a time nothing."""
    each = list(zip(base, other, strict=False))
    return stats.median([a / b for a, b in each]) if each and all(a > 0 < b for a, b in each) else None


@dataclass(frozen=True)
class Pairs:
    """A plan for a comparison: `first` pairs, then twice as many, and so on up to `last`, with an interim analysis after each.

    A clear verdict at an interim analysis ends the comparison. The error of 5 % is spent in equal parts: with k analyses
    each takes an interval of level 1 − 0.05/k. By Bonferroni's inequality all k intervals then hold the true ratio at
    once with at least 95 %, whatever the analyses have in common and whichever ends the comparison. A verdict can be
    false only where its interval misses: faster or slower without a difference, or same with one beyond the band. With
    one analysis this is the ordinary 95 % t interval.
    """

    first: int = 5
    last: int = 20

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last <= MOST:
            raise Problem(f"{self.first}-{self.last} is not a number of pairs; write 10 or 5-20, at most {MOST}")

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
        return max(found, key=lambda plan: len(plan.analyses), default=None)

    @property
    def analyses(self) -> tuple[int, ...]:
        """The numbers of pairs after which there is an interim analysis."""
        found = [self.first]
        while found[-1] < self.last:
            found.append(min(2 * found[-1], self.last))
        return tuple(found)

    def ratio(self, baseline: Sequence[float], candidate: Sequence[float]) -> stats.Ratio:
        """The ratio of paired times at the level of one analysis; p is Bonferroni's over the analyses."""
        analyses = len(self.analyses)
        level = 1 - ERROR / analyses
        found = stats.paired_ratio(baseline, candidate, level)
        each = [a / b for a, b in zip(baseline, candidate, strict=True)]
        middle = stats.bootstrap_median(each, level) if len(each) > 1 else None
        return replace(found, p=min(1.0, analyses * found.p), median=middle)

    def decided(self, baseline: Sequence[float], candidate: Sequence[float], floor: float = 0.0) -> bool:
        """Whether this many pairs are enough: the last analysis, or one with a clear verdict."""
        if len(candidate) >= self.last:
            return True
        times = [*baseline, *candidate]
        return (
            len(candidate) in self.analyses
            and all(0 < t < math.inf for t in times)
            and verdict(self.ratio(baseline, candidate), floor) != "inconclusive"
        )
