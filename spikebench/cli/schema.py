"""`schema` prints JSON Schema."""

import json
from typing import Annotated

import typer

from spikebench.cli import _values as v
from spikebench.cli._print import stdout

KINDS = ("case", "record", "submission")


def command(
    kind: Annotated[str, typer.Argument(help=f"{', '.join(KINDS)}."), v.Choice(choices=KINDS)] = "record",
) -> None:
    """Print the JSON Schema of a case, a record or a submission."""
    from spikebench.experiments.schema import schema

    stdout().print(json.dumps(schema(kind), indent=1), markup=False, soft_wrap=True, highlight=False)
