"""Jobs that are no timings, several at once: each has cores of its own."""

import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

from spikebench.host.cores import Cores
from spikebench.run.process import Workers
from spikebench.run.protocol import Job, Outcome

BESIDE = 12  # processes that work at once on what is no timing


def side_by_side(
    jobs: Sequence[Job],
    limit: Callable[[], float | None],
    python: Sequence[str] | None = None,
    more: dict[str, str] | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Jobs that are no timings, several at once, as they end: the place of each among `jobs`, and its outcome.

    Each of up to BESIDE threads has cores of its own and a process for each interpreter, which stays for the jobs after
    it; what such a process does not end well is asked again in a fresh one. `limit` says how many seconds a job that
    begins now may take; where none are left it is not begun. `python` has the interpreter of each, and `more` is as that
    of Workers.
    """
    parts, mine, made = Cores.parts(BESIDE), threading.local(), list[Workers]()

    def one(index: int, job: Job) -> tuple[int, Outcome]:
        seconds, workers = limit(), vars(mine).setdefault("workers", {})
        if seconds is not None and seconds <= 0:
            return index, Outcome("skipped", "no time was left")
        if (where := python[index] if python else sys.executable) not in workers:
            workers[where] = Workers(parts.count, fork=False, python=where, more=more, stays=True)
            made.append(workers[where])
        before, outcome = workers[where].done, workers[where].ask(job, seconds)
        if before and outcome.status not in ("ok", "timeout"):
            outcome = workers[where].ask(job, seconds)
        return index, outcome

    with ThreadPoolExecutor(len(parts.free), initializer=parts.take) as pool:
        try:
            for asked in as_completed([pool.submit(one, i, job) for i, job in enumerate(jobs)]):
                yield asked.result()
        finally:
            pool.shutdown(cancel_futures=True)
            for workers in made:
                workers.close()
