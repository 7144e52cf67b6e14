"""`to-nir` writes a subject as a NIR graph, the file in which libraries exchange networks."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cases import nir as nir_graph
from spikebench.cli import _options as o
from spikebench.cli._print import stdout


def command(
    subject: Annotated[str, typer.Argument(help="lif[reset=hard,strict=true,…].")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write.")],
    N: Annotated[int, typer.Option("-N", help="Neurons.")] = 1,
    dt: o.Dt = 1e-3,
    euler: o.Euler = False,
) -> None:
    """Write a subject as a NIR graph of one node; its surrogate and what the reset detaches are not in NIR."""
    nir_graph.write(subject, out, N, dt, "euler" if euler else "exact")
    stdout().print(str(out))
