"""`report` writes recorded results as a page."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import loaded


def command(
    files: o.Files,
    out: Annotated[Path, typer.Option("-o", "--out", help="The HTML file."), v.OUT_FILE] = Path("report.html"),
    title: Annotated[str, typer.Option(help="Its title."), v.Text()] = "spikebench report",
    baseline: Annotated[
        str | None, typer.Option(help="Baseline of the verdicts (default: lif@eager)."), v.Text()
    ] = None,
) -> None:
    """Write one HTML file with verdicts, tables, figures, environments and reasons; it needs no network."""
    from spikebench.experiments.results import report

    notes: list[str] = []
    records = loaded(files, notes)
    where = report(records, out, title, baseline, notes)
    stdout().print(f"{len(records)} records in {where}")
