"""`diff` compares recorded runs."""

import sys
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import rows_as_json
from spikebench.cli._tables import difference_table
from spikebench.records import store


def command(
    base: Annotated[str, typer.Argument(help="Results to compare with."), v.Text()],
    new: Annotated[str, typer.Argument(help="Results to judge."), v.Text()],
    metric: o.Metric = "latency",
    fail_if_slower: Annotated[
        float | None, typer.Option(help="Exit 1 if a case is slower by more: 5%, or 0%."), v.Percent()
    ] = None,
    anyway: Annotated[bool, typer.Option(help="Compare although the machines differ.")] = False,
    as_json: o.Json = False,
) -> None:
    """Compare recorded runs case by case: the second against the first."""
    from spikebench.experiments.compare import diff

    rows = diff(store.load(base), store.load(new), metric, anyway)
    if as_json:
        rows_as_json(row.to_json() for row in rows)
    else:
        difference_table(rows)
    slower = [
        r
        for r in rows
        if r.verdict == "slower" and fail_if_slower is not None and r.ratio.estimate < 1 / (1 + fail_if_slower)
    ]
    if slower:
        said = f"{len(slower)} of {len(rows)} cases are slower by more than {100 * (fail_if_slower or 0.0):g}%"
        print(f"spikebench: {said}", file=sys.stderr)
        raise typer.Exit(1)
