"""Measures a list of cases: order, budget, resume, progress. Each record is appended as soon as it is there."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from spikebench.analysis import select
from spikebench.cases.case import Case
from spikebench.host import clock
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.run.executor import Executor, Local, Repeat
from spikebench.run.session import Session
from spikebench.run.settings import Progress, Settings


def run(
    cases: Iterable[Case],
    settings: Settings | None = None,
    out: Path | None = None,
    resume: bool = False,
    retry: bool = False,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Iterator[Record]:
    """Measure cases and yield their records; each is appended to `out` as soon as it is there.

    Without an `executor` they are measured here, one after the other. `resume` leaves out what `out` already has from
    this machine, these versions and this commit, whatever its status; `retry` redoes those that are not ok. Every case
    is measured once before any is repeated, as the worth of a budget would have it; cases that the budget did not reach
    are recorded as skipped, and a resumed run takes them up.
    """
    settings = settings or Settings()
    with Session(settings) as session:
        executor = executor or Local(session.measure)
        known = select.from_here(out, session.environment, executor.anywhere) if resume and out else []
        done = select.done(known, settings.metrics, retry)
        jobs = [(c, r) for r in range(settings.repeats) for c in cases]
        todo = [(c, r) for c, r in jobs if (c.case_id, r) not in done]
        try:
            yield from _records(todo, session, executor, out, progress or _silent)
        finally:
            executor.close()


def _silent(*_: object) -> None:
    """A progress that nobody sees."""


def _records(
    todo: list[Repeat], session: Session, executor: Executor, out: Path | None, progress: Progress
) -> Iterator[Record]:
    budget, left, start = session.settings.budget, list(todo), clock.monotonic()
    session.deadline = None if budget is None else start + budget
    for job in todo:
        executor.submit(*job)
    found = executor.as_completed()
    while left:
        progress("start", left[0][0], len(todo) - len(left), len(todo))
        over = budget is not None and clock.monotonic() - start >= budget
        job, record = (left[0], None) if over else next(found)
        late = budget is not None and clock.monotonic() - start >= budget and record and record.status == "timeout"
        if record is None or late:
            record = _skipped(session, *job, budget or 0.0)
        left.remove(job)
        if out is not None:
            store.append(out, record)
        progress(record.status, job[0], len(todo) - len(left), len(todo))
        yield record


def _skipped(session: Session, case: Case, repeat: int, budget: float) -> Record:
    reason = f"the budget of {budget:g} s was spent; --resume takes it up"
    head = Record(session.run_id, case.case_id, case.to_json(), repeat=repeat)
    return replace(head, status="skipped", reason=reason, environment=session.environment)
