"""`cite` prints the BibTeX of neurons."""

from typing import Annotated

import typer

from spikebench.cli import _values as v
from spikebench.cli._print import stdout


def command(
    neurons: Annotated[list[str], typer.Argument(help="Neuron ids."), v.Id(package="neurons")],
) -> None:
    """BibTeX of the papers behind neurons."""
    from spikebench.experiments.results import cite

    for name in neurons:
        stdout().print(cite(name))
