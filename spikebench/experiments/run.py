"""`sb.run` measures cases one after the other, and the pairs and trainings that go with a sweep."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spikebench.analysis.comparison import Comparison
from spikebench.cases import sweeps
from spikebench.cases.arguments import asked, shortened
from spikebench.cases.case import Case, with_changes
from spikebench.errors import Problem
from spikebench.experiments.compare import in_pairs
from spikebench.experiments.settings import settings_of
from spikebench.experiments.sweep import measurable, sweep
from spikebench.experiments.train import train_all
from spikebench.host import environment
from spikebench.records.record import Record
from spikebench.records.result_file import ResultFile, opened
from spikebench.run import runner
from spikebench.run.executor import Executor
from spikebench.run.forecast import seconds
from spikebench.run.session import Session
from spikebench.run.settings import Progress, Settings
from spikebench.run.shards import Shard


@asked
def run(
    cases: str | Iterable[Case],
    out: str | Path | ResultFile | None = None,
    resume: bool = False,
    retry: bool = False,
    *,
    progress: Progress | None = None,
    executor: Executor | None = None,
    settings: Settings | None = None,
    shard: Shard | str | None = None,
    **given: Any,
) -> list[Record]:
    """Measure cases, each in fresh processes after its gate has passed, and return their records.

    `cases` are Case objects, as `sb.grid` and `sb.sweep` make them, or the name of a sweep, which is then measured with
    the metrics that it is read by, and with the pairs and trainings that go with it. Records are appended to the JSON
    Lines file `out` as they come. `resume` leaves out what `out` has from this machine, these versions and this commit;
    `retry` redoes what is not ok there. `shard` is "2/8" for the second part of 8. `given` are fields of `settings`: metrics, samples,
    timeout, memory_limit, budget, repeats, threads, …; `sb.table(records)` makes a tidy pandas frame of the result.
    """
    where = Path(out) if isinstance(out, str) else out
    name = cases if isinstance(cases, str) else None
    read_by = sweeps.metrics(name) if name else ()
    chosen = settings_of("run", given, settings or (Settings(metrics=read_by) if read_by else Settings()))
    wanted = sweep(cases) if isinstance(cases, str) else measurable(cases_of(cases))
    if shard is not None:
        part = Shard.read(shard) if isinstance(shard, str) else shard
        wanted, has_it = part.part(wanted, chosen, seconds_beside(name, chosen))
        name = name if has_it else None
    records = list(runner.run(wanted, chosen, where, resume, retry, progress, executor))
    return records + companion(name, chosen, where, progress).records


def cases_of(given: Iterable[Any]) -> list[Case]:
    """The cases that were given; Problem for what is none."""
    cases = list(given)
    if wrong := [c for c in cases if not isinstance(c, Case)]:
        raise Problem(f"run: {shortened(wrong[0])} is no case; make cases with sb.grid or sb.Case")
    return cases


def left_to_do(
    cases: Iterable[Case], out: Path | None, resume: bool, retry: bool, settings: Settings
) -> list[tuple[Case, int]]:
    """The cases that `run` would measure, each with the number of its process, in their order."""
    here = environment.gather().to_json() | {"threads": settings.threads}
    return runner.left_to_do(cases, settings, out, resume, retry, here)


def seconds_beside(name: str | None, settings: Settings) -> float:
    """Predicted seconds of the pairs and trainings that go with a sweep."""
    found = sweeps.companion(name) if name else None
    if found is None:
        return 0.0
    block = sum(
        seconds(with_changes(found.case, subject=s), replace(settings, metrics=("latency",)), first=False)
        for s in found.subjects
    )
    return found.pairs * block + sum(seconds(case, settings) for case in found.trainings)


@dataclass(frozen=True)
class Beside:
    """What goes with a sweep: comparisons in pairs, trainings, and the records of both."""

    comparisons: list[Comparison]
    trained: list[Record]
    records: list[Record]


def companion(
    name: str | None, settings: Settings, where: Path | ResultFile | None, progress: Progress | None = None
) -> Beside:
    """Measure the pairs and the trainings that go with a sweep; the records are appended to `where`."""
    found = sweeps.companion(name) if name else None
    if found is None:
        return Beside([], [], [])
    records: list[Record] = []
    few = replace(settings, samples=min(10, settings.samples))  # processes tell more than samples, and cost time

    def tick(done: int, of: int) -> None:
        if progress:
            progress("pairs", found.case, done, of)

    with opened(where) as file, Session(few) as session:

        def keep(record: Record) -> None:
            records.append(record)
            if file is not None:
                file.append(record)

        comparisons = in_pairs(session, found.subjects, found.case, found.pairs, keep=keep, progress=tick)
        trained = train_all(session, list(found.trainings), None, file, progress=progress)
    return Beside(comparisons, trained, [*records, *trained])
