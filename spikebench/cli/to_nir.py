"""`to-nir` writes a subject as a NIR graph, the file in which libraries exchange networks."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cases import nir as nir_graph
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import stdout
from spikebench.cli._tables import warn


def command(
    subject: Annotated[str, typer.Argument(help="lif, or lif[decay=0.95,…]."), v.Text()],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write."), v.OUT_FILE],
    N: Annotated[int, typer.Option("-N", help="Neurons."), v.Whole(within=v.MANY)] = 1,
    dt: o.Dt = 1e-3,
    euler: o.Euler = False,
) -> None:
    """Write a subject as a NIR graph of one node; its surrogate and what the reset detaches are not in NIR.

    Options that are left open are as NIR's neurons have them: reset=hard, strict=true.
    """
    chosen = nir_graph.sayable(subject)
    if chosen.said:
        warn(chosen.said)
    nir_graph.write(chosen.subjects[0], out, N, dt, "euler" if euler else "exact")
    stdout().print(str(out))
