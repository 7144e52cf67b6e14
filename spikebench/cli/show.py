"""`show` shows recorded results."""

import json
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli._print import say, stdout, table
from spikebench.cli._records import records_table
from spikebench.cli._tables import loaded, training_report
from spikebench.errors import Problem

NEVER_WITH = {"growth": ("floor", "each"), "floor": ("each",), "as_json": ("each",)}


def command(
    files: o.Files,
    growth: Annotated[bool, typer.Option(help="Fit t = a·T + b·T² per subject instead.")] = False,
    floor: Annotated[bool, typer.Option(help="Time and memory against a copy of the input instead.")] = False,
    each: o.Each = False,
    as_json: o.Json = False,
) -> None:
    """Show recorded results."""
    records = loaded(files)
    if growth or floor:
        from spikebench.analysis.bound import bound_rows
        from spikebench.analysis.scaling import scaling_rows

        rows = [row.cells for row in (scaling_rows(records) if growth else bound_rows(records))]
        if not rows:
            needs = "latencies of a subject at 2 or more T" if growth else "cases with the metrics latency and copy"
            raise Problem(f"nothing to show in {', '.join(files)}: it takes {needs}; {len(records)} records are there")
        stdout().print_json(json.dumps(rows)) if as_json else table(list(rows[0]), [row.values() for row in rows])
    elif as_json:
        stdout().print_json(json.dumps([r.to_json() for r in records]))
    else:
        trained = [r for r in records if r.case["workload"] == "training"]
        if timed := [r for r in records if r.case["workload"] != "training"]:
            records_table(timed, each)
        if trained:
            if timed:
                say()
            training_report(trained)
