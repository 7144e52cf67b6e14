"""`plot` draws a figure from recorded results."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import loaded

NEVER_WITH = {"text": ("out", "formats", "style")}


def command(
    kind: Annotated[str, typer.Argument(help="The kind of figure; a file in spikebench/plots."), v.Text()],
    files: o.Files,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the figures."), v.OUT_FOLDER] = Path("out"),
    formats: Annotated[
        list[str] | None,
        typer.Option(help="Of png, svg and pdf, with commas (default: png,svg; for a paper pdf)."),
        v.Words(choices=("png", "svg", "pdf")),
    ] = None,
    subjects: Annotated[
        list[str] | None,
        typer.Option(help="Only these: lif@cpu, a neuron, @backend; with commas, or repeat."),
        v.Text(),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Draw ratios to this subject instead of values."), v.Text()
    ] = None,
    style: Annotated[
        str, typer.Option(help="screen, or paper: PDF of 3.25 and 6.75 inches."), v.Choice(choices=("screen", "paper"))
    ] = "screen",
    text: Annotated[bool, typer.Option("--text", help="Draw here in the terminal, and write no file.")] = False,
) -> None:
    """Draw a figure from recorded results, with its caption beside it."""
    from spikebench.experiments.results import plot, plot_text

    records = loaded(files)
    shown = [name for given in subjects or [] for name in v.subjects(given)]
    if text:
        for drawn in plot_text(kind, records, shown, baseline, min(stdout().width, 100)):
            stdout().print(drawn)
        return
    for path in plot(kind, records, out, formats, shown, baseline, style):
        stdout().print(str(path))
