"""Commands that exchange neurons with other libraries through NIR files."""

import json
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cases import nir as nir_graph
from spikebench.cli import options as o
from spikebench.cli.tables import stdout, table
from spikebench.errors import Problem

Dt = Annotated[float, typer.Option(help="Length of a time step in seconds.")]
Euler = Annotated[bool, typer.Option("--euler", help="decay = 1 − dt/τ instead of exp(−dt/τ).")]


def add_to(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command("from-nir")(from_nir)
    app.command("to-nir")(to_nir)


def from_nir(
    file: Annotated[Path, typer.Argument(help="A NIR graph.")],
    dt: Dt = 1e-3,
    euler: Euler = False,
    as_json: o.Json = False,
) -> None:
    """Name the neurons of a NIR graph as subjects that every other command takes."""
    found = nir_graph.subjects(file, dt, "euler" if euler else "exact")
    rows = [
        {
            "node": k,
            "subject": None if isinstance(v, Problem) else v,
            "reason": str(v) if isinstance(v, Problem) else None,
        }
        for k, v in found.items()
    ]
    if as_json:
        stdout().print_json(json.dumps(rows))
    else:
        table(list(rows[0]), [row.values() for row in rows])
    if all(row["subject"] is None for row in rows):
        raise Problem(f"no neuron of {file} can be a subject: {rows[0]['reason']}")


def to_nir(
    subject: Annotated[str, typer.Argument(help="lif[reset=hard,strict=true,…].")],
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write.")],
    N: Annotated[int, typer.Option("-N", help="Neurons.")] = 1,
    dt: Dt = 1e-3,
    euler: Euler = False,
) -> None:
    """Write a subject as a NIR graph of one node; its surrogate and what the reset detaches are not in NIR."""
    nir_graph.write(subject, out, N, dt, "euler" if euler else "exact")
    stdout().print(str(out))
