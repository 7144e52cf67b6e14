"""A comparison is one subject against a baseline at one case: a row of what `compare`, `diff` and `profile` print."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

from spikebench.analysis import paired, stats
from spikebench.analysis.printed import ComparisonRow, finite
from spikebench.cases.case import Case
from spikebench.records.flags import Flag
from spikebench.records.record import Record


@dataclass(frozen=True)
class Comparison:
    """One subject against the baseline at one case. `result` is what `paired.compared` gives; its ratio is None if a side is not ok.

    `over_cases` holds the geometric mean of the subject's ratios over the cases that were compared together.
    """

    subject: str
    baseline: str
    case: Case
    metric: str
    result: paired.Result
    reason: str | None
    over_cases: stats.OverCases | None = None

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

    def to_json(self) -> ComparisonRow:
        """The row that `compare --json` prints."""
        r = self.ratio
        low, high = r.interval if r else (None, None)
        median, median_low, median_high = (r and r.median) or (None, None, None)
        return {
            "subject": self.subject,
            "baseline": self.baseline,
            "case": self.case.to_json(),
            "metric": self.metric,
            "ratio": finite(r and r.estimate),
            "low": finite(low),
            "high": finite(high),
            "n": self.result.n,
            "verdict": self.verdict,
            "status": self.status,
            "reason": self.reason,
            "median": median,
            "median_low": median_low,
            "median_high": median_high,
            "p": r and r.p,
            "q": self.q,
            "over_cases": self.over_cases and asdict(self.over_cases),
        }


def judge(
    base: Case, other: Case, base_records: list[Record], records: list[Record], metric: str, floor: float
) -> Comparison:
    """The comparison of two lists of records, paired by block."""
    found = paired.compared(base_records, records, metric, floor)
    ungated = found.ratio is not None and any(Flag.UNGATED in r.flags for r in records)
    names = (other.subject, base.subject, other, metric)
    return Comparison(*names, found, "ungated" if ungated else found.reason)


def together(rows: Sequence[Comparison]) -> list[Comparison]:
    """Corrects rows that were compared together for their number, and adds each subject's mean over the cases.

    Every row gets its q, the false discovery rate (Benjamini and Hochberg). A verdict faster or slower whose q exceeds
    5 % becomes inconclusive. With a single case there is nothing to correct or to average.
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
