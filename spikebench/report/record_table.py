"""The table of every record, as data for the script of the page."""

import math
from collections.abc import Sequence
from typing import Any, TypedDict

from spikebench import units
from spikebench.analysis import stats
from spikebench.records.record import Record
from spikebench.report.rows import day_of, text_of

TEXTS = ("subject", "mode", "workload", "network", "task", "T", "B", "N", "dtype", "device", "machine")
CHOICES = ("neuron", "backend", "mode", "workload", "status", "machine")


Cell = tuple[float | None, str]
"""What a cell sorts by, if that is a number, and its text."""

Detail = tuple[str, str] | tuple[str, str, list[float]]
"""A label and its text; the numbers are drawn as a strip."""


class Row(TypedDict):
    """A record for the page's own script: its cells, the details below them, and what it is filtered by."""

    c: list[Cell]
    d: list[Detail]
    f: list[str]


class Table(TypedDict):
    """The records for the page's own script; `choices` are the columns that it filters by."""

    columns: list[str]
    numeric: list[bool]
    choices: tuple[str, ...]
    rows: list[Row]


def table(records: Sequence[Record], index: list[int]) -> Table:
    """The records as rows for the page's own script: every cell as [what it sorts by, its text]."""
    metrics = list(dict.fromkeys(m.metric for r in records for m in r.measurements))
    shown = [k for k in TEXTS if k in ("subject", *"TBN") or len({str(_of(r, k)) for r in records}) > 1]
    columns = [*shown, *metrics, "status", "flags", "gate", "repeat"]
    numeric = [*"TBN", *metrics, "repeat"]
    rows: list[Row] = [
        {"c": [_cell(r, k) for k in columns], "d": _details(r, i), "f": [str(_of(r, k) or "—") for k in CHOICES]}
        for r, i in zip(records, index, strict=True)
    ]
    return {"columns": columns, "numeric": [c in numeric for c in columns], "choices": CHOICES, "rows": rows}


def _of(r: Record, key: str) -> Any:
    own = {
        "machine": r.environment.get("machine"),
        "status": r.status,
        "flags": " ".join(map(str, r.flags)),
        "repeat": r.repeat,
    }
    return own[key] if key in own else (r.gate.status if r.gate else "") if key == "gate" else r.case.get(key)


def _cell(r: Record, key: str) -> Cell:
    found = r.measurement(key)
    if found is None:
        value = _of(r, key)
        return value if isinstance(value, int) else None, "" if value is None else str(value)
    numbers = [v for v in found.samples if isinstance(v, int | float) and math.isfinite(v)]
    if not numbers:
        return None, found.status
    middle = stats.median(numbers)
    return float(f"{middle:.5g}"), units.show(middle, found.unit)


def _details(r: Record, environment: int) -> list[Detail]:
    """All else there is to say of a record."""
    told: list[Detail] = [
        ("case", f"{r.case_id}, run {r.run}, repeat {r.repeat}, measured {day_of(r) or 'at an unknown time'}")
    ]
    told.append(("options", text_of(r.case.get("options") or "none")))
    told += [("reason", str(r.reason))] if r.reason else []
    told += [("gate", ", ".join(filter(None, [r.gate.status, r.gate.reason])))] if r.gate else []
    for m in r.measurements:
        if m.reason or m.status != "ok":
            told.append((m.metric, f"{m.status}: {m.reason}"))
        numbers = [float(f"{v:.4g}") for v in m.samples if isinstance(v, int | float) and math.isfinite(v)]
        if len(numbers) > 1:
            low, high = (units.show(end, m.unit) for end in (min(numbers), max(numbers)))
            told.append((m.metric, f"{len(numbers)} samples from {low} to {high}", numbers))
    return [*told, ("environment", f"number {environment + 1}")]
