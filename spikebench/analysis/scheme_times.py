"""The time of a training step by each scheme, in pairs with BPTT: by the loop over time, and by the fused kernel."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.paired import compared, origin, point
from spikebench.analysis.printed import Cells
from spikebench.analysis.select import medians
from spikebench.cases.subject import shown
from spikebench.records.record import Record

SIDES = {"against the loop": "eager", "against the fused kernel": "cpu"}  # the backend of BPTT


@dataclass(frozen=True)
class SchemeTime:
    """A subject with a scheme at one size, and its speed-up over BPTT of the same neuron: below 1 the scheme is slower."""

    subject: str
    sizes: Cells
    time: float
    ratios: dict[str, stats.Ratio | None]

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        said = {k: units.ratio(r.estimate, r.low, r.high, r.n) if r else "—" for k, r in self.ratios.items()}
        return {"subject": shown(self.subject), **self.sizes, "time": units.show(self.time, "s"), **said}


def scheme_times(records: Sequence[Record]) -> list[SchemeTime]:
    """One row per subject and size of a network's training step by a scheme, the shortest first."""
    by_case: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for r in records:
        if r.case["workload"] in ("network", "events") and r.measurement("latency") and "scheme" in r.case:
            by_case[origin(r), *point(r), r.case["subject"]].append(r)
    rows: list[SchemeTime] = []
    for (*where, subject), mine in sorted(by_case.items(), key=lambda item: item[1][0].case["T"]):
        neuron, case, times = subject.partition("@")[0], mine[0].case, medians(mine)
        sides = {said: by_case.get((*where, f"{neuron}@{how}+bptt")) for said, how in SIDES.items()}
        ratios = {s: compared(base, mine).ratio if base and base is not mine else None for s, base in sides.items()}
        if times:
            sizes = {k: case.get(k) for k in ("network", "T", "B", "N", "rate")}
            rows.append(SchemeTime(subject, sizes, stats.median(times), ratios))
    return rows
