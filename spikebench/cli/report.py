"""Commands that hand results on: report, export."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli.tables import stdout
from spikebench.records import store
from spikebench.records.record import Record


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(report)
    app.command()(export)


def report(
    files: Annotated[list[str], typer.Argument(help="Result files, folders or glob patterns.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The HTML file.")] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Its title.")] = "spikebench report",
    baseline: Annotated[str | None, typer.Option(help="Baseline of the verdicts (default: lif@eager).")] = None,
) -> None:
    """Write one HTML file with verdicts, tables, figures, environments and reasons; it needs no network."""
    from spikebench.report.html import write

    notes: list[str] = []
    records = _load(files, notes)
    where = write(records, out, title, notes=notes, baseline=baseline)
    stdout().print(f"{len(records)} records in {where}")


ENDINGS = {"csv": "csv", "parquet": "parquet", "bencher": "json", "github": "json"}


def export(
    files: Annotated[list[str], typer.Argument(help="Result files, folders or glob patterns.")],
    to: Annotated[str, typer.Option(help=", ".join(ENDINGS))] = "csv",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The file (default: out/export and its ending).")
    ] = None,
) -> None:
    """Hand records on: every sample as CSV or Parquet, or figures for Bencher or github-action-benchmark."""
    from spikebench.report.export import write

    where = out or Path("out") / f"export.{ENDINGS.get(to, to)}"
    count = write(_load(files, []), to, where)
    stdout().print(f"{count} {'rows' if to in ('csv', 'parquet') else 'entries'} in {where}")


def _load(files: list[str], notes: list[str]) -> list[Record]:
    records = store.load(files, notes)
    for note in notes:
        print(f"spikebench: {note}", file=sys.stderr)
    return records
