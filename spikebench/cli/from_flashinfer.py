"""`from-flashinfer` reads a trace set of FlashInfer-Bench."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import warn


def command(
    folder: Annotated[Path, typer.Argument(help="The folder of the trace set."), v.IN_FOLDER],
    out: Annotated[
        Path, typer.Option("-o", "--out", help="Folder for records.jsonl and the files of solutions."), v.OUT_FOLDER
    ] = Path("flashinfer"),
) -> None:
    """Read records and solutions from a trace set of FlashInfer-Bench whose definitions are neurons of ours."""
    from spikebench.experiments.results import from_flashinfer

    records = from_flashinfer(folder, out, warn)
    solutions = sorted(out.glob("*.py"))
    stdout().print(f"{len(records)} records in {out / 'records.jsonl'}")
    for path in solutions:
        stdout().print(f"{path}:Solution is a subject now: spikebench check {path}:Solution")
