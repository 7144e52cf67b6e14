"""`sb.compare`, `sb.aa` and `sb.diff`: subjects compared in pairs, one with itself, and two files of records."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spikebench import registry
from spikebench.analysis import difference, noise, stats
from spikebench.analysis.comparison import Comparison, judge, together
from spikebench.analysis.difference import Difference
from spikebench.analysis.pairs import Pairs
from spikebench.cases.arguments import asked
from spikebench.cases.case import Case, with_changes
from spikebench.errors import Problem
from spikebench.experiments.settings import told_apart
from spikebench.experiments.sweep import Grid, Warn, as_they_can_be, points
from spikebench.host import environment
from spikebench.records.record import Record
from spikebench.records.result_file import opened
from spikebench.run import blocks
from spikebench.run.blocks import Keep, Progress
from spikebench.run.forecast import START, seconds
from spikebench.run.session import Session
from spikebench.run.settings import Settings

Expect = Callable[[float, float], None]
Tell = Callable[[str, Case, int, int], None]
Job = tuple[Sequence[str], Case]


@asked
def compare(
    *subjects: str,
    pairs: Pairs | int | str = "5-20",
    metric: str = "latency",
    out: str | Path | None = None,
    progress: Tell | None = None,
    warn: Warn | None = None,
    expect: Expect | None = None,
    settings: Settings | None = None,
    grid: Grid | None = None,
    **given: Any,
) -> list[Comparison]:
    """Compare subjects with the first one, live: randomised blocks of one fresh process per subject, after their gates.

    `pairs` is 10 for exactly ten, or "5-20" for as many as a clear verdict takes. `given` are fields of a Case (T, B, N
    and mode may have several values: device, dtype, rate, network, …) and of `spikebench.run.settings.Settings` (samples,
    timeout, threads, …); what they do not say is as `grid` and `settings` have it. Of `metric` less is better. The
    verdicts take account of the noise floor that `aa` measured on this machine. Records are appended to `out`. A ratio
    above 1 says that the subject is better than the first one. Where a backend cannot have what was left open, as
    lif@snntorch, options are chosen that all subjects of that neuron can have, and `warn` is told which.
    Before the first process starts, `expect` is told how many seconds all may take: with the fewest pairs, and with the most.
    """
    if len(subjects) < 2:
        named = subjects[0] if subjects else "none"
        raise Problem(f"one subject is no comparison: {named}; name a baseline first, then the others")
    chosen, asked = told_apart(given, settings or Settings(), grid or Grid())
    found = as_they_can_be(subjects, asked.device, warn)
    cases = points(found[:1], asked)
    jobs = [(found, case) for case in cases]
    if expect:
        expect(*_seconds(jobs, Pairs.of(pairs), chosen))
    return _compared(jobs, pairs, chosen, metric, out, progress, warn)


def _seconds(jobs: Sequence[Job], plan: Pairs, settings: Settings) -> tuple[float, float]:
    """Predicted seconds of the gates, with as few blocks of processes and as many as a plan has."""
    few = replace(settings, metrics=("latency",))
    cases = [[with_changes(case, subject=s) for s in subjects] for subjects, case in jobs]
    block = sum(seconds(case, few, first=False) for each in cases for case in each)
    first = START + sum(seconds(case, few) for each in cases for case in each) - block
    return first + plan.first * block, first + plan.last * block


AA = Grid(T=[1000], B=[16], N=[128])


@asked
def aa(
    *subjects: str,
    pairs: Pairs | int | str = 10,
    metric: str = "latency",
    out: str | Path | None = None,
    progress: Tell | None = None,
    warn: Warn | None = None,
    settings: Settings | None = None,
    grid: Grid | None = None,
    **given: Any,
) -> list[Comparison]:
    """Compare subjects with themselves: how far A strays from A on this machine, which bounds what a comparison can find.

    Without subjects they are lif@cpu and lif@eager. The records are appended to `out`, else to the file of this machine
    where `compare` and `diff` look for its noise floor. `warn`, `settings`, `grid` and `given` are those of `compare`.
    """
    chosen, asked = told_apart(given, settings or Settings(), grid or Grid())
    found = as_they_can_be(subjects or ("lif@cpu", "lif@eager"), asked.device, warn)
    cases = points(found, asked.over(replace(AA, N=None) if asked.network else AA))
    jobs = [((case.subject, case.subject), case) for case in cases]
    return _compared(jobs, pairs, chosen, metric, out or floor_file(), progress, warn)


@asked
def diff(
    base: Sequence[Record], new: Sequence[Record], metric: str = "latency", anyway: bool = False
) -> list[Difference]:
    """Compare recorded runs case by case, the second against the first: rows with ratio, interval, verdict and reason.

    `base` and `new` are records, as `sb.load` gives them. Raises Problem if the machines or versions of the two differ,
    unless `anyway`.
    """
    metric = registry.find("metrics", metric)
    return difference.rows(list(base), list(new), metric, noise.recorded(floor_file(), metric, apart=True), anyway)


def floor_file() -> Path:
    """Where the noise floor of this machine is kept."""
    return Path("results") / environment.machine() / "aa.jsonl"


def _compared(
    jobs: Sequence[Job],
    pairs: Pairs | int | str,
    settings: Settings,
    metric: str,
    out: str | Path | None,
    progress: Tell | None,
    warn: Warn | None,
) -> list[Comparison]:
    """Live pairs of each job's subjects at its case; the verdicts are those of many cases."""
    rows: list[Comparison] = []
    metric = registry.find("metrics", metric)
    plan, floors = Pairs.of(pairs), noise.recorded(floor_file(), metric)
    chosen = replace(settings, metrics=(metric,))
    with opened(out, warn) as file, Session(chosen) as session:
        session.load([with_changes(case, subject=s) for subjects, case in jobs for s in subjects])
        stats.load()
        for k, (subjects, case) in enumerate(jobs):
            there = [0, plan.last]

            def now(what: str, at: Case, k: int = k, there: list[int] = there) -> None:
                if progress:
                    progress(what, at, k * there[1] + there[0], len(jobs) * there[1])

            def tick(done: int, total: int, case: Case = case, there: list[int] = there) -> None:
                there[:] = done, total
                now("pairs", case)

            session.tell = now
            rows += in_pairs(session, subjects, case, plan, metric, file and file.append, floors, tick)
    return together(rows)


def in_pairs(
    session: Session,
    subjects: Sequence[str],
    case: Case,
    pairs: Pairs | int | str = "5-20",
    metric: str = "latency",
    keep: Keep | None = None,
    floors: Mapping[str, float] | None = None,
    progress: Progress | None = None,
) -> list[Comparison]:
    """Compare every subject with the first in blocks at one case (its own subject does not matter).

    A subject leaves the blocks when `pairs` has decided it. A subject named twice gives an A/A row. `floors` maps case
    ids to their A/A noise floors. `keep` takes every record as it comes.
    """
    cases = [with_changes(case, subject=s) for s in subjects]
    bands = [max((floors or {}).get(c.case_id, 0.0) for c in (cases[0], other)) for other in cases]
    tell = keep or (lambda _: None)
    base, *others = blocks.compared(session, cases, Pairs.of(pairs), metric, bands, tell, progress)
    found = zip(cases[1:], others, bands[1:], strict=True)
    return [judge(cases[0], other, base, records, metric, band) for other, records, band in found]
