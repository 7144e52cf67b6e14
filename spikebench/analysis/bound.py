"""How far a subject is from the bandwidth bound. Each process timed a copy of its own, and the interval is over processes."""

from collections import defaultdict
from dataclasses import dataclass

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.printed import Cells
from spikebench.analysis.select import medians
from spikebench.records.origin import Origin, origin
from spikebench.records.record import Record

_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class BoundRow:
    """A case beside a copy of its input, as text with 95 % t intervals; `origin` where there are several."""

    subject: str
    mode: str
    T: int
    B: int
    N: int
    time: str
    copy: str
    times_copy: str
    bandwidth_share: str
    memory: str
    origin: str | None

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        return {
            "subject": self.subject,
            "mode": self.mode,
            "T": self.T,
            "B": self.B,
            "N": self.N,
            "time": self.time,
            "copy": self.copy,
            "x copy": self.times_copy,
            "fraction of bound": self.bandwidth_share,
            "memory / input": self.memory,
            **({"origin": self.origin} if self.origin is not None else {}),
        }


def bound_rows(records: list[Record]) -> list[BoundRow]:
    """One row per case and origin: time ÷ copy, share of the copy bandwidth, and peak memory ÷ input, with 95 % t intervals on the logs."""
    groups: dict[tuple[Origin, str], list[Record]] = defaultdict(list)
    for r in records:
        if r.status == "ok" and r.case["workload"] == "layer" and r.measurement("copy"):
            groups[origin(r), r.case_id].append(r)
    several = len({where for where, _ in groups}) > 1
    return [_row(group, str(where) if several else None) for (where, _), group in groups.items()]


def _row(group: list[Record], where: str | None) -> BoundRow:
    case = group[0].case
    size = case["T"] * case["B"] * case["N"] * _BYTES[case["dtype"]]
    times, copies = medians(group, "latency"), medians(group, "copy")
    alone = medians(group, "device_time") or times  # a copy on a GPU is timed without the host
    return BoundRow(
        subject=case["subject"],
        mode=case["mode"],
        T=case["T"],
        B=case["B"],
        N=case["N"],
        time=units.show(stats.median(times), "s"),
        copy=units.show(stats.median(copies), "s"),
        times_copy=_shown(alone, copies),
        bandwidth_share=_shown(medians(group, "bandwidth"), [1.0] * len(group)),
        memory=_shown(medians(group, "peak_memory"), [float(size)] * len(group)),
        origin=where,
    )


def _shown(above: list[float], below: list[float]) -> str:
    """The ratio of paired medians with its interval; a dash where a process lacks one of them."""
    if len(above) != len(below) or not above or min(*above, *below) <= 0:
        return "—"
    r = stats.paired_ratio(above, below)
    return units.ratio(r.estimate, r.low, r.high, r.n)
