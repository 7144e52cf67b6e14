"""`check` checks what a neuron computes."""

import sys
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import rows_as_json, table

LIMITS = o.Process(timeout=120.0)


def command(
    subjects: Annotated[
        list[str], typer.Argument(help="Subjects to check; `all` means every neuron of ours."), v.Text()
    ],
    like: Annotated[str | None, typer.Option(help="Compare with the definition of this neuron."), v.Text()] = None,
    enclosed: Annotated[
        bool, typer.Option("--enclosed", help="Without a network, and writing in a scratch folder alone.")
    ] = False,
    process: o.Process = LIMITS,
    as_json: o.Json = False,
) -> None:
    """Check what a neuron computes and whether it is what it declares. A foreign subject's code is executed."""
    from spikebench.experiments.check import check

    limits = {"timeout": process.timeout, "threads": process.threads, "unpickle": process.unpickle}
    rows = check(*subjects, like=like, enclosed=enclosed, **limits)
    if as_json:
        rows_as_json(row.to_json() for row in rows)
    else:
        marks = {True: "passed", False: "FAILED", None: "skipped"}
        shown = [(row.subject, row.check, marks[row.passed], row.detail) for row in rows]
        table(("subject", "check", "result", "detail"), shown)
    if failed := sum(row.passed is False for row in rows):
        print(f"spikebench: {failed} of {len(rows)} checks failed", file=sys.stderr)
        raise typer.Exit(1)
