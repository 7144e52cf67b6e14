"""Records on the site: the table that lists them, and the page of each."""

import math
from collections.abc import Mapping, Sequence

from spikebench import units
from spikebench.analysis import stats
from spikebench.cases.subject import shown
from spikebench.records import flags
from spikebench.records.origin import origin
from spikebench.records.record import Measurement, Record
from spikebench.report import rows
from spikebench.report.cite import bibtex
from spikebench.report.site.page import Page, Part
from spikebench.report.site.tables import Cell, Column, Row, Table, as_lines


def record_table(name: str, records: Sequence[Record], links: Mapping[int, str]) -> Table:
    """A row per record, with the medians of what most of them have."""
    columns = [
        Column("subject"),
        Column("mode", choice=True),
        Column("workload", choice=True),
        *(Column(k, True) for k in "TBN"),
    ]
    columns += [
        Column("dtype", choice=True),
        Column("machine", choice=True),
        Column("time", True),
        Column("memory", True),
    ]
    columns += [Column("energy", True), Column("status", choice=True), Column("day"), Column("run")]
    return Table(name, columns, [_row(r, links[id(r)]) for r in records])


def _row(r: Record, link: str) -> Row:
    case = r.case
    what = " ".join(str(case[k]) for k in ("workload", "network", "task") if case.get(k))
    metrics = ("epoch_time" if case["workload"] == "training" else "latency", "peak_memory", "energy")
    cells = [Cell(shown(str(case["subject"])), href=f"records/{link}.html"), Cell(str(case["mode"])), Cell(what)]
    cells += [Cell(f"{case[k]:,}", case[k]) for k in "TBN"]
    cells += [Cell(str(case["dtype"])), Cell(str(r.environment.get("machine") or ""))]
    for metric in metrics:
        found = r.measurement(metric)
        value = stats.median(found.samples) if found and found.samples else None
        cells.append(Cell(units.show(value, found.unit), value) if found and value is not None else Cell("—"))
    cells += [Cell(r.status, bad=r.status != "ok"), Cell(rows.day_of(r)), Cell(f"{r.run} {r.repeat}")]
    return Row(cells, [r])


def record_page(r: Record, link: str, lead: str) -> Page:
    """The page of a record, under its permalink, with the record itself as a file beside it."""
    columns = [Column("metric"), *(Column(name, True) for name in ("median", "least", "most", "samples"))]
    file = f"{link}.jsonl"
    measured = [_measured(m) for m in r.measurements]
    table = Table("Measurements", [*columns, Column("status")], measured, files=[("JSON Lines", file)])
    facts = [("status", _because(r.status, r.reason)), ("run", f"{r.run}, block {r.repeat}")]
    facts += [("rules", r.rules or "made before rules 1.0")]
    facts += [("gate", _because(r.gate.status, r.gate.reason) if r.gate else "none")]
    facts += [*((f"flag {f}", flags.told(f) or f) for f in r.flags), ("origin", origin(r).told)]
    parts = [
        Part("facts", "Record", facts=facts),
        Part("table", table=table),
        Part("facts", "Case", facts=[(k, rows.text_of(v)) for k, v in r.case.items() if v not in (None, {})]),
        Part("facts", "Environment", facts=[(k, rows.text_of(v)) for k, v in r.environment.items()]),
        Part("text", "BibTeX", text=bibtex(r, link)),
    ]
    title = f"{shown(str(r.case['subject']))}: record {link}"
    return Page(f"records/{link}.html", title, lead, parts, {file: as_lines([r])})


def _because(status: str, reason: str | None) -> str:
    return f"{status}: {reason}" if reason else status


def _measured(m: Measurement) -> Row:
    """A measurement: the median, the ends and the number of its samples."""
    finite = [float(v) for v in m.samples]
    ends = (stats.median(finite), min(finite), max(finite)) if finite else (math.nan,) * 3
    cells = [Cell(units.show(v, m.unit), v if finite else None) for v in ends]
    return Row(
        [
            Cell(m.metric.replace("_", " ")),
            *cells,
            Cell(str(len(finite)), len(finite)),
            Cell(_because(m.status, m.reason)),
        ]
    )
