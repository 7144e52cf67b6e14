"""Measures a list of cases: order, budget, resume, progress. Each record is appended as soon as it is there."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from time import sleep

from spikebench.analysis import select
from spikebench.cases.case import Case
from spikebench.host import clock, environment
from spikebench.records.record import Record
from spikebench.records.result_file import ResultFile
from spikebench.run.executor import Executor, Local, Repeat
from spikebench.run.session import Session
from spikebench.run.settings import Progress, Settings
from spikebench.run.shared import WAIT, Shared


def run(
    cases: Iterable[Case],
    settings: Settings | None = None,
    out: Path | ResultFile | None = None,
    resume: bool = False,
    retry: bool = False,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Iterator[Record]:
    """Measure cases and yield their records; each is appended to `out` as soon as it is there.

    Without an `executor` they are measured here, one after the other. `resume` leaves out what `out` already has from
    this machine, these versions and this commit, whatever its status; `retry` redoes those that are not ok. What another
    run into the same file measures at this time is left to it, and measured here only if that run ends without it. Every
    case is measured once before any is repeated, as the worth of a budget would have it; cases that the budget did not
    reach are recorded as skipped, and a resumed run takes them up.
    """
    settings = settings or Settings()
    file = ResultFile(out, warnings.warn) if isinstance(out, Path) else out
    with Session(settings) as session:
        executor = executor or Local(session.measure)
        here, anywhere = session.environment, executor.anywhere
        todo = left_to_do(cases, settings, file and file.path, resume, retry, here, anywhere)

        def done() -> set[select.Key]:
            known = select.from_here(file.path, here, anywhere) if file else []
            return set(select.done(known, settings.metrics, retry))

        shared = Shared(file, done, environment.fingerprint(here), alone=not resume or anywhere)
        try:
            yield from _records(todo, session, executor, file, shared, progress or _silent)
        finally:
            executor.close()
            if file is not None:
                file.close()


def left_to_do(
    cases: Iterable[Case],
    settings: Settings,
    out: Path | None,
    resume: bool,
    retry: bool,
    here: select.Environment,
    anywhere: bool = False,
) -> list[Repeat]:
    """The cases with their repeats, in the order in which they are measured, without those that `out` has from here."""
    known = select.from_here(out, here, anywhere) if resume and out else []
    done = select.done(known, settings.metrics, retry)
    jobs = [(c, r) for r in range(settings.repeats) for c in cases]
    return [(c, r) for c, r in jobs if (c.case_id, r) not in done]


def _silent(*_: object) -> None:
    """A progress that nobody sees."""


def _records(
    todo: list[Repeat],
    session: Session,
    executor: Executor,
    file: ResultFile | None,
    shared: Shared,
    progress: Progress,
) -> Iterator[Record]:
    budget, left, start = session.settings.budget, list(todo), clock.monotonic()
    session.deadline = None if budget is None else start + budget

    def tell(what: str, case: Case) -> None:
        progress(what, case, len(todo) - len(left), len(todo))

    def over() -> bool:
        return budget is not None and clock.monotonic() - start >= budget

    session.tell = tell
    found = _found(left, executor, shared, tell, over)
    while left:
        job, record = (left[0], None) if over() else next(found, (None, None))
        if job is None:
            continue  # others have recorded the rest, or the budget is spent
        if record is None or (over() and record.status == "timeout"):
            record = _skipped(session, *job, budget or 0.0)
        left.remove(job)
        if file is not None:
            file.append(record)
        shared.over(job)
        tell(record.status, job[0])
        yield record


def _found(
    left: list[Repeat], executor: Executor, shared: Shared, tell: Callable[[str, Case], None], over: Callable[[], bool]
) -> Iterator[tuple[Repeat, Record]]:
    """Cases with their records: as they end where other machines measure, else one after the other."""
    if executor.anywhere:
        for job in left:
            executor.submit(*job)
        tell("start", left[0][0])
        yield from executor.as_completed()
        return
    while left and not over():
        job = shared.next(left)
        if job is not None:
            tell("start", job[0])
            executor.submit(*job)
            yield from executor.as_completed()
        elif left:
            tell("another run measures it", left[0][0])
            sleep(WAIT)


def _skipped(session: Session, case: Case, repeat: int, budget: float) -> Record:
    reason = f"the budget of {budget:g} s was spent; --resume takes it up"
    head = session.head(case, repeat, None)
    return replace(head, status="skipped", reason=reason, environment=session.environment)
