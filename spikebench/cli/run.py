"""`run` measures the cases of a sweep, or of subjects and sizes."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spikebench.analysis.select import elsewhere
from spikebench.cases import sweeps
from spikebench.cases.case import Case
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._records import records_table
from spikebench.cli._runs import announce, closing, going_on
from spikebench.cli._tables import stability_notes, stderr_progress, unless_measured, warn
from spikebench.errors import Problem
from spikebench.experiments import sweep as grids
from spikebench.experiments.sweep import Grid
from spikebench.host import environment
from spikebench.records.result_file import ResultFile

if TYPE_CHECKING:
    from spikebench.run.executor import Executor
    from spikebench.run.settings import Settings


@dataclass(frozen=True)
class Place:
    """What measures the cases."""

    executor: Annotated[
        str,
        typer.Option(help="local, or parsl (extra `cluster`): many GPUs or nodes."),
        v.Choice(choices=("local", "parsl")),
    ] = "local"
    accelerators: Annotated[
        list[int] | None,
        typer.Option(help="With parsl: the GPUs of this machine to use, 0,1 (default: 0)."),
        v.Wholes(within="[0, 1023]"),
    ] = None
    parsl_config: Annotated[
        Path | None, typer.Option(help="With parsl: a Python file with its `config`."), v.IN_FILE
    ] = None
    shard: Annotated[
        str | None, typer.Option(help="Only this part of the cases, 2/8; `merge` joins the parts."), v.Part()
    ] = None

    def made(self, settings: "Settings") -> "Executor | None":
        """None for local, which is the runner's own."""
        if self.executor == "local":
            if self.accelerators is not None or self.parsl_config is not None:
                raise Problem("--accelerators and --parsl-config have an effect with --executor parsl only")
            return None
        from spikebench.run.cluster import Cluster

        return Cluster(settings, [str(n) for n in self.accelerators or [0]], self.parsl_config)


@dataclass(frozen=True)
class Kept:
    """Where records are kept, and what of them counts as done."""

    out: o.Out = None
    resume: Annotated[bool, typer.Option(help="Leave out what the file already has.")] = False
    retry: Annotated[bool, typer.Option(help="With --resume: redo what is not ok.")] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before a run of over ten minutes.")] = False


@dataclass(frozen=True)
class Printed:
    """What is printed."""

    each: o.Each = False
    as_json: o.Json = False


@dataclass(frozen=True)
class Sampled(o.Sampling):
    """How often and how long the cases are sampled."""

    metric: o.Metrics = None
    repeats: Annotated[int, typer.Option(help="Fresh processes per case."), v.Whole(within=v.TIMES)] = 1
    budget: o.Budget = None
    isolation: o.Isolation = "fork"
    strict: o.Strict = False

    def settings(self, usual: "Settings") -> "Settings":
        made, fork = super().settings(usual), self.isolation == "fork"
        return replace(made, repeats=self.repeats, budget=self.budget, strict=self.strict, fork=fork)


ONLY_WITH = {"retry": "resume"}
NEVER_WITH = {"as_json": ("each",)}


def command(
    *,
    sweep: Annotated[str | None, typer.Argument(help="A named sweep; `spikebench list sweeps` shows them.")] = None,
    subject: o.Subjects = None,
    sizes: o.Sizes,
    tensors: o.Tensors,
    what: o.What,
    sampled: Sampled,
    kept: Kept,
    place: Place,
    printed: Printed,
) -> None:
    """Measure the cases of a sweep, or of the subjects and sizes given."""
    from spikebench.experiments.run import companion, left_to_do, run, seconds_beside
    from spikebench.run.forecast import Forecast
    from spikebench.run.settings import DEFAULT_METRICS, Settings
    from spikebench.run.shards import Shard

    grid = o.grid(sizes, tensors, what)
    cases = chosen(sweep, subject, grid)
    read_by = sampled.metric or sweeps.metrics(sweep or "") or DEFAULT_METRICS
    settings = sampled.settings(Settings(metrics=tuple(read_by)))
    beside = sweep if sweep is not None and not subject and not grid.said else None
    where = Path("results") / environment.machine() / f"{sweep or 'run'}.jsonl"
    if place.shard is not None:
        shard = Shard.read(place.shard)
        cases, has_it = shard.part(cases, settings, seconds_beside(beside, settings))
        beside, where = (beside if has_it else None), shard.file(where)
    where = kept.out or where
    if kept.resume:
        _say_what_differs(where, settings)
    executor, file = place.made(settings), ResultFile(where, warn)
    jobs = left_to_do(cases, where, kept.resume, kept.retry, settings)
    forecast = Forecast(jobs, settings) if executor is None else None
    if forecast is not None:
        forecast.beside = seconds_beside(beside, settings)
    announce(len(cases) * settings.repeats, jobs, forecast, file, kept.yes)
    with going_on(file, len(jobs)):
        with stderr_progress(forecast) as progress:
            records = run(cases, file, kept.resume, kept.retry, progress=progress, executor=executor, settings=settings)
        stability_notes(records)
        if records and not printed.as_json:
            records_table(records, printed.each)
        with stderr_progress() as progress:
            also = companion(beside, settings, file, progress)
    file.close()
    closing(records, also, file, printed.as_json, Path("out") / (sweep or "run"))
    records += also.records
    unless_measured(records)


def chosen(name: str | None, subjects: list[str] | None, grid: Grid) -> list[Case]:
    """The cases of a sweep, narrowed to the subjects and replaced sizes that were named; or of the options alone."""
    if name is not None:
        return grids.changed(name, subjects or (), grid)
    if not subjects:
        raise Problem("nothing to run; name a sweep (spikebench list sweeps) or give --subject lif@cpu")
    return grids.points(grids.as_they_can_be(subjects, grid.device, warn), grid)


def _say_what_differs(where: Path, settings: "Settings") -> None:
    """A line on stderr if records of the file come from elsewhere, and do not count as done."""
    here = environment.gather().to_json() | {"threads": settings.threads}
    count, differing = elsewhere(where, here) if where.exists() else (0, [])
    if count:
        text = f"{count} records in {where} differ in {', '.join(differing)}: they stay, and do not count as done here"
        print(f"spikebench: {text}", file=sys.stderr)
