"""`plot` draws a figure from recorded results."""

import re
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli._print import stdout
from spikebench.cli._tables import loaded


def command(
    kind: Annotated[str, typer.Argument(help="The kind of figure; a file in spikebench/plots.")],
    files: o.Files,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the figures.")] = Path("out"),
    formats: Annotated[
        str | None, typer.Option(help="Of png, svg and pdf, with commas (default: png,svg; for a paper pdf).")
    ] = None,
    subjects: Annotated[
        list[str] | None, typer.Option(help="Only these: lif@cpu, a neuron, @backend; with commas, or repeat.")
    ] = None,
    baseline: Annotated[str | None, typer.Option(help="Draw ratios to this subject instead of values.")] = None,
    style: Annotated[str, typer.Option(help="screen, or paper: PDF of 3.25 and 6.75 inches.")] = "screen",
    text: Annotated[bool, typer.Option("--text", help="Draw here in the terminal, and write no file.")] = False,
) -> None:
    """Draw a figure from recorded results, with its caption beside it."""
    from spikebench.experiments.results import plot, plot_text

    records = loaded(files)
    shown = [name for given in subjects or [] for name in names(given)]
    if text:
        for drawn in plot_text(kind, records, shown, baseline, min(stdout().width, 100)):
            stdout().print(drawn)
        return
    wanted = formats.split(",") if formats else None
    for path in plot(kind, records, out, wanted, shown, baseline, style):
        stdout().print(str(path))


def names(text: str) -> list[str]:
    """Subjects with commas between them, which their options have too: "lif[decay=0.5,reset=hard]@cpu,spsn"."""
    return [part for part in re.findall(r"(?:[^,\[]|\[[^\]]*\]?)+", text) if part]
