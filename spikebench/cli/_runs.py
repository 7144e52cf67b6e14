"""What `run` says beside its tables: how long it takes, what Ctrl-C leaves and how to go on, and where files went."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from spikebench import units
from spikebench.cli._print import rows_as_json, say
from spikebench.cli._tables import comparison_table, training_report, warn
from spikebench.errors import Interrupted, Problem
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.records.result_file import ResultFile

if TYPE_CHECKING:
    from spikebench.experiments.run import Beside
    from spikebench.run.executor import Repeat
    from spikebench.run.forecast import Forecast

LONG = 600.0  # seconds of a run from which a person is asked before it begins


def announce(every: int, jobs: "Sequence[Repeat]", forecast: "Forecast | None", file: ResultFile, yes: bool) -> None:
    """Say on stderr what is measured, how long it takes and where it goes; on a terminal ask if that is LONG.

    `every` counts the processes of the run, and `jobs` are those that are still to be measured.
    """
    cases = len({case.case_id for case, _ in jobs})
    seconds = forecast.left + forecast.beside if forecast is not None else 0.0
    parts = [
        f"{cases} case{'s' * (cases != 1)}",
        f"{len(jobs)} processes" if len(jobs) > cases else "",
        f"{every - len(jobs)} of {every} are done" if len(jobs) < every else "",
        f"about {units.duration(seconds)}" if seconds else "",
        f"into {file.path}",
    ]
    print(", ".join(filter(None, parts)), file=sys.stderr)
    asked = seconds > LONG and not yes and sys.stdin.isatty() and sys.stderr.isatty()
    if asked and not typer.confirm("That is long. Begin? (--yes does not ask)", default=True, err=True):
        warn("nothing was measured; fewer -T, fewer --samples or --budget 5m make it shorter")
        raise typer.Exit(1)


@contextmanager
def going_on(file: ResultFile, jobs: int) -> Iterator[None]:
    """Ctrl-C says what was kept, and the command that goes on."""
    try:
        yield
    except KeyboardInterrupt:
        line = ["python -m spikebench" if sys.argv[0].endswith("__main__.py") else "spikebench"]
        moved = len(file.paths) > 1
        line += [shlex.quote(word) for word in (without(sys.argv[1:], "--out") if moved else sys.argv[1:])]
        line += ["--resume"] * ("--resume" not in sys.argv)
        line += [f"--out {shlex.quote(str(file.path))}"] * moved
        raise Interrupted(f"interrupted; kept are {file.told}, of {jobs}\ngo on with: {' '.join(line)}") from None


def without(words: Sequence[str], option: str) -> list[str]:
    """The words of a command line without an option and its value."""
    place = next((k for k, w in enumerate(words) if w.partition("=")[0] == option), None)
    return list(words) if place is None else [*words[:place], *words[place + 1 + (words[place] == option) :]]


def closing(records: list[Record], beside: "Beside", file: ResultFile, as_json: bool, folder: Path) -> None:
    """What comes after the table of the cases: what goes with a sweep, and where files went."""
    every = records + beside.records
    page = f"spikebench report {' '.join(shlex.quote(str(p)) for p in file.counts())} puts them on a page"
    if as_json:
        rows_as_json(r.to_json() for r in every)
        print(f"{file.told}: {page}", file=sys.stderr)
        return
    if beside.records:
        say()
        comparison_table(beside.comparisons)
        say()
        training_report(beside.trained)
    say()
    say(f"{file.told}: {page}")
    for path in _figures(every, folder):
        say(f"figure {path}")


def _figures(records: list[Record], folder: Path) -> list[Path]:
    """The speed-up and scaling figures of these records, as far as they hold any."""
    layers, paths = [r for r in records if r.case["workload"] == "layer"], list[Path]()
    if len({r.case_id for r in layers}) < 2:
        return paths  # one case is neither a ratio nor a line, and pandas takes half a second to load
    from spikebench.plots import draw

    for kind in ("speedup", "scaling"):
        with suppress(Problem):
            paths += draw(kind, store.frame(layers), folder, ("png",))
    return paths
