"""`list` lists what there is of a kind."""

from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import rows_as_json, stdout, table, text
from spikebench.experiments.list import KINDS, rows

COLUMNS = {
    "neurons": ["reset_kind", "stochastic", "causal", "parallel_in_time", "verified", "backends"],
    "schemes": ["memory", "exact", "online", "ann_branch", "verified"],
    "metrics": ["unit", "process"],
    "sweeps": ["cases"],
    "networks": ["T", "B", "SOURCE"],
    "tasks": ["LICENCE"],
    "claims": ["claimed", "device", "read", "known"],
}


NEVER_WITH = {"as_json": ("markdown",)}


def command(
    kind: Annotated[str, typer.Argument(help=", ".join(KINDS)), v.Text()] = "neurons",
    markdown: Annotated[bool, typer.Option(help="Print a Markdown table.")] = False,
    as_json: o.Json = False,
) -> None:
    """List what there is of a kind, with its facts."""
    found: list[dict[str, object]] = rows(kind)
    if as_json:
        rows_as_json(found)
        return
    columns = ["id", *COLUMNS.get(kind, []), "title"]
    shown = [{c: text(row.get(c)) for c in columns} for row in found]
    if markdown:
        lines = [columns, ["---"] * len(columns), *([row[c] for c in columns] for row in shown)]
        for line in lines:
            stdout().print("| " + " | ".join(line) + " |")
    else:
        table(columns, [row.values() for row in shown])
