"""How close an approximate neuron comes to the LIF that it approximates, over decay and rate: a row per neuron, decay and rate."""

import math
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikebench.analysis.printed import Cells
from spikebench.cases.options import number
from spikebench.cases.subject import parse_subject, shown
from spikebench.records.origin import Origin, origin
from spikebench.records.record import Record

RESETS = ("soft", "hard")
DECAYS = ("decay", "mem_decay")
MANY = 10  # times as often, from which on a percentage says nothing


@dataclass(frozen=True)
class AgreementRow:
    """Means over processes: the share of spikes that differ from those of a LIF with soft and hard reset, and the drift of the rate."""

    subject: str
    decay: float
    rate: float
    T: int
    differ: tuple[float, float]
    drift: tuple[float, float]
    late: tuple[float, float]
    n: int
    origin: str | None

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        return {
            "subject": self.subject,
            "decay": f"{self.decay:g}",
            "rate": f"{self.rate:g}",
            "T": self.T,
            **{f"differ ({reset})": _share(v) for reset, v in zip(RESETS, self.differ, strict=True)},
            **{f"drift ({reset})": _drift(v) for reset, v in zip(RESETS, self.drift, strict=True)},
            **{f"late drift ({reset})": _drift(v) for reset, v in zip(RESETS, self.late, strict=True)},
            "n": self.n,
            **({"origin": self.origin} if self.origin is not None else {}),
        }


def agreement_rows(records: list[Record]) -> list[AgreementRow]:
    """One row per case and origin whose metric `agreement` tells how many spikes differ, by neuron, decay and rate."""
    groups: dict[tuple[Origin, str], list[Record]] = defaultdict(list)
    for r in records:
        if "differ" in _detail(r) and decay_of(str(r.case["subject"])) is not None:
            groups[origin(r), r.case_id].append(r)
    several = len({where for where, _ in groups}) > 1
    made = [_row(group, str(where) if several else None) for (where, _), group in groups.items()]
    return sorted(made, key=lambda row: (parse_subject(row.subject).name, row.decay, row.rate))


def decay_of(subject: str) -> float | None:
    """The subject's decay, whether it was given or is the neuron's own, or that of the LIF that it stands for at one decay."""
    parsed = parse_subject(subject)
    known = [parsed.all_options, *([parse_subject(parsed.approximates).all_options] if parsed.approximates else [])]
    return next((number(options[o]) for options in known for o in DECAYS if o in options), None)


def _row(group: list[Record], where: str | None) -> AgreementRow:
    case, details = group[0].case, [_detail(r) for r in group]

    def means(name: str) -> tuple[float, float]:
        soft, hard = ([d[name][k] for d in details if d[name][k] is not None] for k in range(len(RESETS)))
        return statistics.fmean(soft or [math.nan]), statistics.fmean(hard or [math.nan])

    subject = str(case["subject"])
    return AgreementRow(
        subject=shown(subject),
        decay=decay_of(subject) or 0.0,
        rate=float(case["rate"] or 0.0),
        T=case["T"],
        differ=means("differ"),
        drift=means("drift"),
        late=means("drift_late"),
        n=len(group),
        origin=where,
    )


def _detail(r: Record) -> Mapping[str, Any]:
    found = r.measurement("agreement")
    return found.detail if found and r.status == "ok" else {}


def _share(value: float) -> str:
    return "—" if math.isnan(value) else f"{value:.1%}"


def _drift(value: float) -> str:
    """In percent; where the neuron fires ten times as often or more, how many times that is."""
    return "—" if math.isnan(value) else f"{value:+.1%}" if value < MANY - 1 else f"{value + 1:,.0f}x"
