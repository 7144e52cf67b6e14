"""`export` hands records on to other programs."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import loaded
from spikebench.errors import Problem
from spikebench.experiments.results import ENDINGS, FOLDERS, LICENCE

FORMATS = (*ENDINGS, *FOLDERS)
COUNTED = {"csv": "rows", "parquet": "rows", "dataset": "records", "flashinfer-bench": "traces"}
COUNTED |= {"tensorboard": "points", "wandb": "points"}


def command(
    files: o.Files,
    to: Annotated[str, typer.Option(help=", ".join(FORMATS)), v.Choice(choices=FORMATS)] = "csv",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The file or the folder (default: it lies in out/)."), v.OUT_PATH
    ] = None,
    licence: Annotated[
        str | None, typer.Option(help=f"Of a dataset: SPDX name (default: {LICENCE})."), v.Text()
    ] = None,
) -> None:
    """Hand records on: every sample as a table, figures for other benchmarks, curves for trackers, or a data set of its own."""
    from spikebench.experiments.results import exported

    if licence is not None and to != "dataset":
        raise Problem(f"--licence has no effect with --to {to}; it is that of --to dataset")
    records = loaded(files)
    count, where = exported(records, to, out, licence or LICENCE)
    stdout().print(f"{count} {COUNTED.get(to, 'entries')} of {len(records)} records in {where}")
