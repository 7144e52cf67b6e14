"""The boards: what was measured of one setting on one device, ranked within one origin and nowhere else."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.select import by_case, medians
from spikebench.cases.case import LATER_FIELDS
from spikebench.cases.subject import shown
from spikebench.records.flags import Flag
from spikebench.records.origin import Origin, by_origin
from spikebench.records.record import FEWEST, Record
from spikebench.report.cite import permalink, plain
from spikebench.report.site.tables import Cell, Column, Row, Table

SETTING: tuple[str, ...] = (
    "workload",
    "network",
    "task",
    "mode",
    "T",
    "B",
    "N",
    "dtype",
    "device",
    "rate",
    "bias",
    "allocator",
    "autocast",
)
USUAL: Mapping[str, object] = {"workload": "layer", "device": "cpu", "rate": 0.3, "dtype": "float32", **LATER_FIELDS}
EXTRA = (("share of bound", "bandwidth"), ("memory", "peak_memory"), ("energy", "energy"), ("rate", "spike_rate"))
EXTRA += (("accuracy", "accuracy"),)
UNRANKED = {Flag.UNGATED, Flag.SHARED}
CHECKED = (
    "checked"  # in place of a gate: compared with its definition by `check`, at sizes other than those that were timed
)


@dataclass(frozen=True)
class Owner:
    """The submission that a record is of, and whether the record's neuron was executed here and equals its definition."""

    name: str
    checked: bool = False


Submitted = Mapping[str, Owner]  # by the permalink of a record


@dataclass(frozen=True)
class Board:
    """One setting on one device: a table for each origin, the newest first. `slug` is the name of its page."""

    slug: str
    device: str
    setting: dict[str, object]
    tables: list[Table]

    @property
    def title(self) -> str:
        """The setting in words; what is as usual is left out."""
        s = self.setting
        what = [str(s[k]) for k in ("task", "network") if s.get(k)] or ["layer"]
        sizes = [f"{k} = {s[k]:,}" for k in "TBN" if s[k]]
        unusual = [f"{k} {s[k]}" for k, usual in USUAL.items() if k not in ("workload", "device") and s.get(k) != usual]
        return ", ".join([*what, str(s["mode"]), *sizes, *(u for u in unusual if not u.endswith("None"))])

    @property
    def subjects(self) -> list[str]:
        """The subjects on it."""
        return list(dict.fromkeys(row.name for table in self.tables for row in table.rows))

    @property
    def records(self) -> list[Record]:
        """All records on it."""
        return [r for table in self.tables for row in table.rows for r in row.records]


def machine_of(record: Record) -> str:
    """The machine of a record, "unknown" where it does not say."""
    return str(record.environment.get("machine") or "unknown")


def device_of(record: Record) -> str:
    """The device of a record: the machine, and its GPU where there is one and the case is on it."""
    e = record.environment
    card = e.get("gpu") if record.case["device"] == "cuda" else None
    name = f"{card.get('name')} {str(card.get('uuid', ''))[:12]}".strip() if isinstance(card, dict) else card
    return f"{machine_of(record)}{f', {name}' if name else ''}"


def boards(records: Sequence[Record], submitted: Submitted | None = None) -> list[Board]:
    """A board for every setting and device, by device and then by setting."""
    groups: dict[tuple[object, ...], list[Record]] = defaultdict(list)
    for r in records:
        case = {**LATER_FIELDS, **r.case}
        groups[(device_of(r), *(case.get(k) for k in SETTING))].append(r)
    return [
        _board(key, group, submitted or {}) for key, group in sorted(groups.items(), key=lambda g: str(_order(g[0])))
    ]


def _order(key: tuple[object, ...]) -> list[str]:
    return [f"{v:012d}" if isinstance(v, int) else str(v) for v in key]


def _board(key: tuple[object, ...], records: list[Record], submitted: Submitted) -> Board:
    device, setting = str(key[0]), dict(zip(SETTING, key[1:], strict=True))
    words = " ".join(
        f"{k}{v}" if k in "TBN" else str(v) for k, v in setting.items() if v is not None and v != USUAL.get(k)
    )
    slug = plain(f"{device} {words}")
    tables = [_table(where, part, setting, submitted) for where, part in by_origin(records).items()]
    return Board(slug, device, setting, tables)


def _table(where: Origin, records: list[Record], setting: dict[str, object], submitted: Submitted) -> Table:
    metric = "epoch_time" if setting["workload"] == "training" else "latency"
    groups = by_case(records)
    times = [stats.geometric(medians(g, metric)) for g in groups]
    order = sorted(range(len(groups)), key=lambda k: (not times[k].value > 0, times[k].value))
    groups, times = [groups[k] for k in order], [times[k] for k in order]
    there = [(n, m) for n, m in EXTRA if any(r.measurement(m) for r in records)]
    own = [("submission", "")] if any(permalink(r) in submitted for r in records) else []
    columns = [
        Column("rank", True),
        Column("subject"),
        Column("time", True),
        Column("n", True),
        Column("gate", choice=True),
    ]
    columns += [*(Column(n, True) for n, _ in there), Column("status", choice=True), *(Column(n) for n, _ in own)]
    ranks = _ranks(groups, times, submitted)
    rows = [
        Row(_cells(g, ranks[k], times[k], there, own, submitted), g, shown(str(g[0].case["subject"])))
        for k, g in enumerate(groups)
    ]
    return Table(str(where), columns, rows, where.told, _pairs(groups, metric))


def _ranks(groups: Sequence[Sequence[Record]], times: Sequence[stats.Mean], submitted: Submitted) -> list[int | None]:
    """One more than the number of others whose whole interval is below; None below five processes, or for one that proves nothing."""
    counted = [
        t.n >= FEWEST and t.high is not None and all(_proves(r, submitted) for r in g)
        for g, t in zip(groups, times, strict=True)
    ]
    return [
        1 + sum(c and (o.high or 0.0) < (t.low or 0.0) for c, o in zip(counted, times, strict=True)) if mine else None
        for mine, t in zip(counted, times, strict=True)
    ]


def _proves(record: Record, submitted: Submitted) -> bool:
    """Whether a record can have a rank: it is ok, its neuron was compared with a definition, and its machine is not shared."""
    against = UNRANKED & set(record.flags)
    if _gate(record, submitted) == CHECKED:
        against -= {Flag.UNGATED}
    return record.status == "ok" and not against


def _gate(record: Record, submitted: Submitted) -> str:
    """What compared the neuron of a record with its definition, and what came of it."""
    status = record.gate.status if record.gate else "none"
    owner = submitted.get(permalink(record)) if status == "none" else None
    return CHECKED if owner and owner.checked else status


def _cells(
    group: Sequence[Record],
    rank: int | None,
    time: stats.Mean,
    there: Sequence[tuple[str, str]],
    own: Sequence[tuple[str, str]],
    submitted: Submitted,
) -> list[Cell]:
    gates = sorted({_gate(r, submitted) for r in group})
    states = sorted({r.status for r in group})
    said = " ".join([*states, *sorted({f for r in group for f in r.flags})])
    known = time.value if time.value > 0 else None
    return [
        Cell(str(rank) if rank else "—", rank),
        Cell(shown(str(group[0].case["subject"])), href=f"records/{permalink(group[0])}.html"),
        Cell(units.between(time.value, time.low, time.high, "s") if known else "—", known),
        Cell(str(time.n or len(group)), time.n or len(group)),
        Cell(", ".join(gates), bad="failed" in gates),
        *(_extra(group, metric) for _, metric in there),
        Cell(said, bad=states != ["ok"]),
        *(_submission(group, submitted) for _ in own),
    ]


def _extra(group: Sequence[Record], metric: str) -> Cell:
    unit = next((m.unit for r in group if (m := r.measurement(metric))), "1")
    value = stats.median(medians(group, metric))
    return Cell(units.show(value, unit), value if value == value else None)


def _submission(group: Sequence[Record], submitted: Submitted) -> Cell:
    owner = submitted.get(permalink(group[0]))
    return Cell(owner.name, href=f"submissions/{plain(owner.name)}.html") if owner else Cell("")


def _pairs(groups: Sequence[Sequence[Record]], metric: str) -> dict[str, str]:
    """What the pairs of any two rows give, each row as a baseline of all others: "0,1" is row 1 against row 0."""
    said: dict[str, str] = {}
    for i, base in enumerate(groups):
        others = {j: g for j, g in enumerate(groups) if j != i and paired.pairs_of(base, g)}
        found = paired.corrected([paired.compared(base, g, metric) for g in others.values()])
        for j, result in zip(others, found, strict=True):
            if (r := result.ratio) and r.n > 1:
                said[f"{i},{j}"] = f"{result.verdict}, {units.ratio(r.estimate, r.low, r.high, r.n)}"
    return said
