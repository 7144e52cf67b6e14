"""`watch` shows the records of a sweep that runs elsewhere, as they come."""

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import say, stdout
from spikebench.cli._records import records_table
from spikebench.cli._tables import training_report
from spikebench.errors import Problem
from spikebench.records import store


def command(
    files: o.Files,
    every: Annotated[float, typer.Option(help="Time between two readings: 2s."), v.Duration()] = 2.0,
    until: Annotated[
        float | None, typer.Option(help="End after so long without a new record: 10m (default: never)."), v.Duration()
    ] = None,
) -> None:
    """Show the records of files as they come, until Ctrl-C; the files need not be there yet."""
    known, last = -1, time.monotonic()
    try:
        while until is None or time.monotonic() - last < until:
            size = sum(path.stat().st_size for path in _there(files))
            if size != known:
                known, last = size, time.monotonic()
                _show(files)
            time.sleep(every)
    except KeyboardInterrupt:
        pass


def _there(files: list[str]) -> list[Path]:
    """The files that are there now."""
    found: list[Path] = []
    for name in files:
        with suppress(Problem):  # nothing there yet
            found += store.expand([name])
    return found


def _show(files: list[str]) -> None:
    """The table of all records; on a terminal in the place of the last one."""
    records = [r for path in _there(files) for r in store.read(path)]
    if sys.stdout.isatty():
        stdout().clear()
    if timed := [r for r in records if r.case["workload"] != "training"]:
        records_table(timed)
    if trained := [r for r in records if r.case["workload"] == "training"]:
        training_report(trained)
    say(f"{time.strftime('%H:%M:%S')}: {len(records)} records in {', '.join(files)}; Ctrl-C ends this")
