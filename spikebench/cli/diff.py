"""`diff` compares recorded runs."""

from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import rows_as_json
from spikebench.cli._tables import difference_table, exit_if_slower
from spikebench.records import store


def command(
    base: Annotated[str, typer.Argument(help="Results to compare with."), v.Text()],
    new: Annotated[str, typer.Argument(help="Results to judge."), v.Text()],
    metric: o.Metric = "latency",
    fail_if_slower: o.Limit = None,
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
    exit_if_slower(rows, fail_if_slower)
