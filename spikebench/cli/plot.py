"""`plot` draws a figure from recorded results."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli._tables import loaded, stdout


def command(
    kind: Annotated[str, typer.Argument(help="The kind of figure; a file in spikebench/plots.")],
    files: o.Files,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the figures.")] = Path("out"),
    formats: Annotated[str, typer.Option(help="Of png, svg and pdf, with commas.")] = "png,svg",
) -> None:
    """Draw a figure from recorded results, with its caption beside it."""
    from spikebench.experiments.results import plot

    for path in plot(kind, loaded(files), out, formats.split(",")):
        stdout().print(str(path))
