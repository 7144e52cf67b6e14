"""`cite` prints the BibTeX of neurons and of records, and draws a badge."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import loaded
from spikebench.errors import Problem

ONLY_WITH = {"badge": "from_", "subject": "badge", "baseline": "badge", "doi": "from_"}


def command(
    neurons: Annotated[list[str] | None, typer.Argument(help="Neuron ids."), v.Id(package="neurons")] = None,
    from_: Annotated[list[str] | None, typer.Option("--from", help="Records to cite, too."), v.Text()] = None,
    doi: Annotated[str | None, typer.Option(help="DOI of the archive that has the records."), v.Text()] = None,
    badge: Annotated[
        Path | None, typer.Option(help="An SVG file: the subject against the baseline."), v.OUT_FILE
    ] = None,
    subject: Annotated[str | None, typer.Option(help="Subject of the badge."), v.Text()] = None,
    baseline: Annotated[str | None, typer.Option(help="Its baseline (default: lif@eager)."), v.Text()] = None,
) -> None:
    """BibTeX of the papers behind neurons, and of records; a badge of a comparison."""
    from spikebench.experiments.results import cite, cite_records, draw_badge

    if not neurons and not from_:
        raise Problem("cite: name a neuron, as lif, or records with --from FILES")
    for name in neurons or []:
        stdout().print(cite(name))
    records = loaded(from_) if from_ else []
    if badge is not None:
        if subject is None:
            raise Problem("--badge: which subject? give it --subject")
        where = draw_badge(records, badge, subject, baseline or "lif@eager")
        stdout().print(f"badge in {where}")
    elif from_:
        stdout().print(cite_records(records, doi))
