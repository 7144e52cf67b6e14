"""How the memory of a training step grows with T: bytes for each step, and per cent for each doubling, with intervals."""

import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.printed import Cells
from spikebench.analysis.select import medians
from spikebench.cases.subject import shown
from spikebench.records.record import Record

METRICS = {"tensor_memory": "tensors", "peak_memory": "process"}  # what is counted, and what that is called
FLAT = 0.02  # of a doubling, up to which memory is called flat


@dataclass(frozen=True)
class Growth:
    """How the peak memory of a subject grows over its lengths, one point per process, by one of the `METRICS`.

    `a_step` is the slope of bytes against T. `a_doubling` is the share that a doubling of T adds, from the slope of the
    logarithms. Both have a 95 % t interval. `last` is that share between the two longest lengths alone, where what does not
    grow counts least.
    """

    subject: str
    metric: str
    sizes: Cells
    shortest: int
    longest: int
    least: float
    most: float
    a_step: stats.Line
    a_doubling: stats.Line
    last: float
    n: int

    @property
    def flat(self) -> bool:
        """Whether a doubling adds at most FLAT, as far as the interval tells."""
        return self.a_doubling.high <= FLAT

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        step, twice = self.a_step, self.a_doubling
        ends = f"[{units.show(step.low, 'B')}, {units.show(step.high, 'B')}]"
        return {
            "subject": shown(self.subject),
            **self.sizes,
            "counted": METRICS[self.metric],
            "T": f"{self.shortest}…{self.longest}",
            "memory": f"{units.show(self.least, 'B')} to {units.show(self.most, 'B')}",
            "a step": f"{units.show(step.slope, 'B')} {ends}",
            "a doubling": f"{twice.slope:+.1%} [{twice.low:+.1%}, {twice.high:+.1%}]",
            "the last": f"{self.last:+.1%}",
            "processes": self.n,
        }


def growths(records: Sequence[Record]) -> list[Growth]:
    """One row per metric, subject and sizes of one origin that was measured at two lengths or more, in three processes at least."""
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for metric, r in itertools.product(METRICS, records):
        if r.case["mode"] == "train" and any(m > 0 for m in medians([r], metric)):
            groups[metric, paired.origin(r), r.case["subject"], paired.point(r, "T")].append(r)
    found = [(key[0], g) for key, g in groups.items() if len({r.case["T"] for r in g}) > 1 and len(g) > 2]
    return [_of(metric, group) for metric, group in found]


def _of(metric: str, group: Sequence[Record]) -> Growth:
    case, lengths = group[0].case, [float(r.case["T"]) for r in group]
    values = [medians([r], metric)[0] for r in group]
    twice = stats.line([math.log2(T) for T in lengths], [math.log(v) for v in values])
    sizes: Cells = {k: case.get(k) for k in ("network", "B", "N")}
    by_length = {
        T: stats.median([v for t, v in zip(lengths, values, strict=True) if t == T]) for T in sorted(set(lengths))
    }
    (short, before), (long, after) = list(by_length.items())[-2:]
    last = (after / before) ** (1 / math.log2(long / short)) - 1
    share = stats.Line(*(math.expm1(v) for v in (twice.slope, twice.low, twice.high)))
    ends = int(min(lengths)), int(max(lengths)), min(by_length.values()), max(by_length.values())
    return Growth(case["subject"], metric, sizes, *ends, stats.line(lengths, values), share, last, len(group))
