"""The bar of progress on a terminal: what is measured and which part of it, how many cases are done, and how long the rest takes."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

from spikebench.cases.case import Case
from spikebench.cases.subject import shown
from spikebench.cli._tables import Left, Report

SILENT = ("start", "ok")  # what needs no words beside the case


class _Rest(ProgressColumn):
    """How long the rest takes, as the forecast has it."""

    def __init__(self, left: Left) -> None:
        super().__init__(Column(no_wrap=True))
        self._left = left

    def render(self, task: Task) -> Text:
        return Text(str(self._left), "progress.remaining")


@contextmanager
def bar(left: Left) -> Iterator[Report]:
    """A bar and the function that moves it. A long subject is cut, and not what is done or its T."""
    what = TextColumn(
        "{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"), markup=False
    )
    rest = TimeRemainingColumn() if left.forecast is None else _Rest(left)
    columns = (what, BarColumn(12), MofNCompleteColumn(), TimeElapsedColumn(), rest)
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as made:
        task = made.add_task("starting", total=None)

        def report(event: str, case: Case, done: int, of: int) -> None:
            left.learn(event, case)
            note = "" if event in SILENT else f"{event}, "
            made.update(task, completed=done, total=of, description=f"{note}T={case.T}: {shown(case.subject)}")

        yield report
