"""`site` writes static pages."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import warn


def command(
    files: o.Files,
    out: Annotated[Path, typer.Option("-o", "--out", help="The folder."), v.OUT_FOLDER] = Path("site"),
    execute: Annotated[bool, typer.Option("--execute", help="Execute the neurons of submissions, shut in.")] = False,
) -> None:
    """Write static pages of records and submissions: boards, neurons, machines, claims; they open from a disk."""
    from spikebench.experiments.site import site

    notes: list[str] = []
    where, count = site(files, out, execute, notes)
    for note in notes:
        warn(note)
    stdout().print(f"{count} files in {where}; open {where / 'index.html'}")
