"""`export` hands records on to other programs."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import loaded
from spikebench.experiments.results import ENDINGS


def command(
    files: o.Files,
    to: Annotated[str, typer.Option(help=", ".join(ENDINGS)), v.Choice(choices=tuple(ENDINGS))] = "csv",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The file (default: out/export and its ending)."), v.OUT_FILE
    ] = None,
) -> None:
    """Hand records on: every sample as CSV or Parquet, or figures for Bencher or github-action-benchmark."""
    from spikebench.experiments.results import exported

    count, where = exported(loaded(files), to, out)
    stdout().print(f"{count} {'rows' if to in ('csv', 'parquet') else 'entries'} in {where}")
