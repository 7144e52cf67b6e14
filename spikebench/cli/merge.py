"""`merge` joins the result files of shards."""

from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import say
from spikebench.cli._tables import warn


def command(
    files: o.Files,
    out: Annotated[Path, typer.Option("-o", "--out", help="The file to write, which is not there yet."), v.OUT_FILE],
) -> None:
    """Join the result files of shards into one, with every record once; what was measured twice is refused."""
    from spikebench.experiments.results import merge

    records = merge(*files, out=out, warn=warn)
    say(f"{len(records)} records in {out}")
