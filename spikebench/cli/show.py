"""`show` shows recorded results."""

from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli._print import rows_as_json, say, table
from spikebench.cli._records import records_table
from spikebench.cli._tables import loaded, training_report, warn
from spikebench.errors import Problem
from spikebench.records import store

NEVER_WITH = {"growth": ("floor", "each"), "floor": ("each",), "as_json": ("each",)}


def command(
    files: o.Files,
    growth: Annotated[bool, typer.Option(help="Fit t = a·T + b·T² per subject instead.")] = False,
    floor: Annotated[bool, typer.Option(help="Time and memory against a copy of the input instead.")] = False,
    each: o.Each = False,
    as_json: o.Json = False,
) -> None:
    """Show recorded results."""
    if as_json and not growth and not floor:
        _stream(files)
        return
    records = loaded(files)
    if growth or floor:
        from spikebench.analysis.bound import bound_rows
        from spikebench.analysis.scaling import scaling_rows

        rows = [row.cells for row in (scaling_rows(records) if growth else bound_rows(records))]
        if not rows:
            needs = "latencies of a subject at 2 or more T" if growth else "cases with the metrics latency and copy"
            raise Problem(f"nothing to show in {', '.join(files)}: it takes {needs}; {len(records)} records are there")
        rows_as_json(rows) if as_json else table(list(rows[0]), [row.values() for row in rows])
    else:
        trained = [r for r in records if r.case["workload"] == "training"]
        if timed := [r for r in records if r.case["workload"] != "training"]:
            records_table(timed, each)
        if trained:
            if timed:
                say()
            training_report(trained)


def _stream(files: list[str]) -> None:
    """Print the records one after the other: there may be more than fit into memory."""
    notes: list[str] = []
    rows_as_json(r.to_json() for path in store.expand(files) for r in store.read(path, notes))
    for note in notes:
        warn(note)
