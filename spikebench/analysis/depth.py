"""What depth costs: time and memory that a layer of a network of blocks adds, and what it does to the gradient."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.printed import Cells
from spikebench.analysis.select import medians
from spikebench.cases.named import Network, parse_network
from spikebench.cases.subject import shown
from spikebench.errors import Problem
from spikebench.records.origin import origin
from spikebench.records.record import Record

NORMS = "gradient_norms"


def blocks_of(text: object) -> tuple[str, int] | None:
    """A network of blocks without their number, its residual named, and how many layers they have; None for another network."""
    try:
        network = parse_network(str(text))
    except Problem:  # of a version that had others
        return None
    if "blocks" not in network.sizes:
        return None
    same = {"residual": network.choices["residual"]} | {k: v for k, v in network.options.items() if k != "blocks"}
    return str(Network(network.name, same)), network.depth


@dataclass(frozen=True)
class DepthRow:
    """How a step of a network of blocks changes with its depth, one point per process.

    `time` and `memory` are the slopes of latency and peak memory against the number of layers, with 95 % t intervals. None
    where there are fewer than three processes or one depth. `gradient` is the factor by which the gradient's norm changes
    from a layer to the one before it, from the slope of its logarithm over the layers of the deepest network.
    """

    subject: str
    network: str
    sizes: Cells
    shallowest: int
    deepest: int
    time: stats.Line | None
    memory: stats.Line | None
    gradient: stats.Line | None
    over: float | None
    n: int
    origin: str | None

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        whole = "—" if self.over is None else f"{units.digits(self.over)}x"
        return {
            "subject": shown(self.subject),
            "network": self.network,
            **self.sizes,
            "depth": f"{self.shallowest}…{self.deepest}",
            "time a layer": _shown(self.time, "s"),
            "memory a layer": _shown(self.memory, "B"),
            "gradient a layer": _shown(self.gradient, ""),
            "first over last": whole,
            "processes": self.n,
            **({"origin": self.origin} if self.origin is not None else {}),
        }


def depth_rows(records: Sequence[Record]) -> list[DepthRow]:
    """One row per subject, network and origin that was measured at two depths or more, or whose gradients were."""
    groups: dict[tuple[Any, ...], list[tuple[int, Record]]] = defaultdict(list)
    for r in records:
        found = blocks_of(r.case.get("network")) if r.status == "ok" and r.case.get("network") else None
        if found is not None:
            same = paired.point(replace(r, case={**r.case, "network": found[0]}))
            groups[origin(r), found[0], r.case["subject"], same].append((found[1], r))
    several = len({key[0] for key in groups}) > 1
    rows = [_row(group, network, str(where) if several else None) for (where, network, *_), group in groups.items()]
    return [row for row in rows if row.deepest > row.shallowest or row.gradient]


def _row(group: list[tuple[int, Record]], network: str, where: str | None) -> DepthRow:
    case, depths = group[0][1].case, [depth for depth, _ in group]
    norms = _norms([r for depth, r in group if depth == max(depths)])
    layers = [math.log(v) for v in norms] if norms and all(v > 0 for v in norms) else []
    back = stats.line([-k for k in range(len(layers))], layers) if len(layers) > 2 else None
    sizes: Cells = {"mode": case["mode"], **{k: case[k] for k in ("T", "B", "N")}}
    return DepthRow(
        case["subject"],
        network,
        sizes,
        min(depths),
        max(depths),
        _slope(group, "latency"),
        _slope(group, "peak_memory"),
        back and stats.Line(*(math.exp(v) for v in (back.slope, back.low, back.high))),
        norms[0] / norms[-1] if norms and norms[-1] else None,
        len(group),
        where,
    )


def _slope(group: list[tuple[int, Record]], metric: str) -> stats.Line | None:
    points = [(depth, value) for depth, r in group for value in medians([r], metric)]
    if len(points) < 3 or len({depth for depth, _ in points}) < 2:
        return None
    return stats.line(*map(list, zip(*points, strict=True)))


def _norms(records: Sequence[Record]) -> list[float]:
    """The norm at each layer, the geometric mean of the processes; nothing where none was taken."""
    taken = [m.samples for r in records if (m := r.measurement(NORMS)) and m.samples]
    return [_middle(norms) for norms in zip(*taken, strict=True)] if taken else []


def _middle(norms: Sequence[float]) -> float:
    return stats.geometric(norms).value if all(v > 0 for v in norms) else 0.0


def _shown(line: stats.Line | None, unit: str) -> str:
    if line is None:
        return "—"
    if unit:
        return f"{units.show(line.slope, unit)} [{units.show(line.low, unit)}, {units.show(line.high, unit)}]"
    return f"{units.digits(line.slope)}x [{units.digits(line.low)}, {units.digits(line.high)}]"
