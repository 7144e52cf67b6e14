"""Commands that hand results on: report."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from spikebench import store
from spikebench.cli.tables import stdout


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(report)


def report(
    files: Annotated[list[str], typer.Argument(help="Result files, folders or glob patterns.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The HTML file.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Its title.")] = "spikebench report",
    baseline: Annotated[str | None, typer.Option(help="Baseline of the verdicts (default: lif@eager).")] = None,
) -> None:
    """Write one HTML file with verdicts, tables, figures, environments and reasons; it needs no network."""
    from spikebench.report import write

    notes: list[str] = []
    records = store.load(files, notes)
    for note in notes:
        print(f"spikebench: {note}", file=sys.stderr)
    where = write(records, out, title, notes=notes, baseline=baseline)
    stdout().print(f"{len(records)} records in {where}", markup=False)
