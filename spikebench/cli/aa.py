"""`aa` measures the noise floor of this machine."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._tables import compared, stderr_progress, warn


def command(
    *,
    subject: o.Subjects = None,
    pairs: o.Pairs = "10",
    sizes: o.Sizes,
    tensors: o.Tensors = o.USUAL,
    what: o.What,
    metric: o.Metric = "latency",
    sampling: o.Compared,
    out: Annotated[Path | None, typer.Option(help="Where the noise floor is kept."), v.OUT_FILE] = None,
    as_json: o.Json = False,
) -> None:
    """A against A: this machine's noise floor per case, kept for compare and diff."""
    from spikebench.experiments.compare import aa
    from spikebench.run.settings import Settings

    grid, settings = o.grid(sizes, tensors, what), sampling.settings(Settings())
    with stderr_progress() as progress:
        rows = aa(
            *(subject or ()),
            pairs=pairs,
            metric=metric,
            out=out,
            progress=progress,
            warn=warn,
            settings=settings,
            grid=grid,
        )
    compared(rows, as_json)
