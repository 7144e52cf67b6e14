"""Whether the neuron is the bottleneck: the share of a step that neurons take, and how much faster it can become by them."""

import statistics
from collections import defaultdict
from dataclasses import dataclass

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.printed import Cells
from spikebench.analysis.select import medians
from spikebench.cases.subject import shown
from spikebench.records.origin import Origin, origin
from spikebench.records.record import Record

HALF = 0.5


@dataclass(frozen=True)
class ShareRow:
    """The neurons' share of the time of a case, as a mean over processes with its 95 % t interval; `origin` where there are several."""

    subject: str
    network: str
    mode: str
    T: int
    B: int
    N: int
    time: str
    mean: float
    ends: tuple[float, float] | None
    n: int
    origin: str | None

    @property
    def bottleneck(self) -> str:
        """Whether the neurons take more than half of the time; "undecided" where the interval holds the half."""
        low, high = self.ends or (self.mean, self.mean)
        return "yes" if low > HALF else "no" if high < HALF else "undecided"

    @property
    def most(self) -> str:
        """How many times as fast the step would be if the neurons took no time: 1 / (1 − share)."""
        return f"{units.digits(1 / (1 - self.mean))}x" if self.mean < 1 else "—"

    @property
    def share(self) -> str:
        """The share with its interval."""
        if self.ends is None:
            return f"{self.mean:.0%}, n={self.n}"
        return f"{self.mean:.0%} [{self.ends[0]:.0%}, {self.ends[1]:.0%}], n={self.n}"

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        return {
            "subject": self.subject,
            "network": self.network,
            "mode": self.mode,
            "T": self.T,
            "B": self.B,
            "N": self.N,
            "time": self.time,
            "neurons' share": self.share,
            "bottleneck": self.bottleneck,
            "at most": self.most,
            **({"origin": self.origin} if self.origin is not None else {}),
        }


def share_rows(records: list[Record]) -> list[ShareRow]:
    """One row per case and origin that has the metric `neuron_share`."""
    groups: dict[tuple[Origin, str], list[Record]] = defaultdict(list)
    for r in records:
        if medians([r], "neuron_share"):
            groups[origin(r), r.case_id].append(r)
    several = len({where for where, _ in groups}) > 1
    return [_row(group, str(where) if several else None) for (where, _), group in groups.items()]


def _row(group: list[Record], where: str | None) -> ShareRow:
    case, shares = group[0].case, medians(group, "neuron_share")
    time = stats.geometric(medians(group))
    return ShareRow(
        subject=shown(str(case["subject"])),
        network=str(case["network"]),
        mode=case["mode"],
        T=case["T"],
        B=case["B"],
        N=case["N"],
        time=units.between(time.value, time.low, time.high, "s"),
        mean=statistics.fmean(shares),
        ends=stats.mean_interval(shares) if len(shares) > 1 else None,
        n=len(shares),
        origin=where,
    )
