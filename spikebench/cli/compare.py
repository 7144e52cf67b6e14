"""`compare` compares subjects with the first one, live, in pairs."""

import sys
from typing import Annotated

import typer

from spikebench import units
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._tables import compared, stderr_progress, warn


def command(
    *,
    subjects: Annotated[list[str], typer.Argument(help="The first one is the baseline."), v.Text(repeats=True)],
    pairs: o.Pairs = "5-20",
    sizes: o.Sizes,
    tensors: o.Tensors = o.USUAL,
    what: o.What,
    metric: o.Metric = "latency",
    sampling: o.Compared,
    out: o.Out = None,
    as_json: o.Json = False,
) -> None:
    """Compare subjects with the first one, live, in randomised pairs of fresh processes."""
    from spikebench.experiments.compare import compare
    from spikebench.run.settings import Settings

    grid, settings = o.grid(sizes, tensors, what), sampling.settings(Settings())
    with stderr_progress() as progress:
        rows = compare(
            *subjects,
            pairs=pairs,
            metric=metric,
            out=out,
            progress=progress,
            warn=warn,
            expect=expected,
            settings=settings,
            grid=grid,
        )
    compared(rows, as_json)


def expected(least: float, most: float) -> None:
    """Say on stderr how long the pairs take."""
    few, many = units.duration(least), units.duration(most)
    print(f"about {few}" + f", at most {many}" * (few != many), file=sys.stderr)
