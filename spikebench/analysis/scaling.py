"""How time grows with T: the fit t = a·T + b·T² and the scaling exponent per subject, from recorded processes."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.printed import Cells
from spikebench.analysis.select import medians
from spikebench.records.record import Record

HOST_BOUND = "host-bound"
ALWAYS, VARYING = ("mode", "B", "N"), ("workload", "network", "device", "dtype", "rate")


@dataclass(frozen=True)
class ScalingRow:
    """How a subject scales with T: its sizes and what else differs between the rows, the fit, and the scaling exponent.

    Host-bound times grow as the host's work does: their row shows neither fit nor exponent.
    """

    subject: str
    sizes: Cells
    shortest: int
    longest: int
    fit: stats.ScalingFit
    exponent: paired.Scaling | None
    origin: str | None
    host_bound: bool = False

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        fit = self.fit
        grown: Cells = {
            "a": units.show(fit.a, "s"),
            "b": f"{fit.b:.3g} s [{fit.b_low:.3g}, {fit.b_high:.3g}]",
            "bT/a": f"{fit.curvature:.3g} [{fit.curvature_low:.3g}, {fit.curvature_high:.3g}]",
            "scaling exponent": str(self.exponent),
        }
        return {
            "subject": self.subject,
            **self.sizes,
            "T": f"{self.shortest}…{self.longest}",
            **(dict.fromkeys(grown, HOST_BOUND) if self.host_bound else grown),
            "processes": fit.n,
            **({"origin": self.origin} if self.origin is not None else {}),
        }


def scaling_rows(records: list[Record]) -> list[ScalingRow]:
    """One row per subject and sizes of one origin: a, b with its 95 % interval, b·T/a at the longest T, the scaling exponent.

    What else differs between the rows, the origin among it, is a column.
    """
    groups: dict[tuple[Any, ...], list[Record]] = defaultdict(list)
    for r in records:
        if medians([r]):
            groups[paired.origin(r), r.case["subject"], paired.point(r, "T")].append(r)
    fit = [group for group in groups.values() if len({r.case["T"] for r in group}) > 1 and len(group) > 2]
    more = [k for k in VARYING if len({str(group[0].case.get(k)) for group in fit}) > 1]
    several = len({paired.origin(group[0]) for group in fit}) > 1
    return [_row(group, more, str(paired.origin(group[0])) if several else None) for group in fit]


def _row(group: list[Record], more: list[str], where: str | None) -> ScalingRow:
    fit = stats.scaling_fit([r.case["T"] for r in group], medians(group))
    case, lengths = group[0].case, [r.case["T"] for r in group]
    sizes = {k: case.get(k) for k in (*ALWAYS, *more)}
    bound, exponent = any(map(paired.is_host_bound, group)), paired.scaling(group)
    return ScalingRow(case["subject"], sizes, min(lengths), max(lengths), fit, exponent, where, bound)
