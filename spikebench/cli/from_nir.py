"""`from-nir` names the neurons of a NIR graph, the file in which libraries exchange networks."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cases import nir as nir_graph
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import rows_as_json, table
from spikebench.errors import Problem


def command(
    file: Annotated[Path, typer.Argument(help="A NIR graph."), v.IN_FILE],
    dt: o.Dt = 1e-3,
    euler: o.Euler = False,
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
        rows_as_json(rows)
    else:
        table(list(rows[0]), [row.values() for row in rows])
    if all(row["subject"] is None for row in rows):
        raise Problem(f"no neuron of {file} can be a subject: {rows[0]['reason']}")
