"""Who has the processes: a pool takes jobs and gives their outcomes. A session has one of its own unless it is given one."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Protocol

from spikebench.cases.case import Case
from spikebench.host import cores, environment, monitor
from spikebench.host.monitor import Reading
from spikebench.records.locks import Locks
from spikebench.run import wanted
from spikebench.run.assemble import judged
from spikebench.run.beside import side_by_side
from spikebench.run.interleaving import Interleaving
from spikebench.run.process import Workers, program
from spikebench.run.protocol import GateJob, Job, JudgeJob, MeasureJob, Outcome, TrainJob
from spikebench.run.settings import Settings
from spikebench.run.zygote import POSSIBLE, Zygote

JUDGE = -1  # the place of the process that judges what those at the other places have measured


class Pool(Protocol):
    """Processes that a session asks in place of its own; seconds are the longest that a job may take, None for no limit."""

    def ask(self, case: Case, job: Job, seconds: float | None, watch: Callable[[str], None] | None = None) -> Outcome:
        """A job about a case, in a fresh process."""
        ...

    def beside(self, jobs: Sequence[GateJob], seconds: float | None) -> Iterator[tuple[int, Outcome]]:
        """Jobs that are no timings, several at once, as they end: the place of each, and its outcome."""
        ...

    def reading(self, device: str) -> Reading:
        """The machine now, without those of its processes that wait."""
        ...

    def close(self) -> None:
        """Stop every process."""
        ...


def judge(
    job: MeasureJob | TrainJob, outcome: Outcome, seconds: float | None, workers: Callable[[], Workers]
) -> Outcome:
    """The outcome of a process that has timed, with what another one says of it, which never had the subject."""
    if outcome.evidence is None or outcome.status != "ok":
        return outcome
    bias, samples = (job.bias, job.samples) if isinstance(job, MeasureJob) else (None, 0)
    asked = JudgeJob(job.case, outcome.evidence, bias, outcome.marks, samples, outcome.draws)
    found = workers().ask(asked, seconds)
    Path(outcome.evidence).unlink(missing_ok=True)
    return judged(outcome, found)


class Fresh:
    """The pool of one machine: it starts a process for each job when the job comes, in the interpreter of the job's case."""

    def __init__(self, settings: Settings, tell: Callable[[str, Case], None] = lambda *_: None) -> None:
        """`tell` hears when the samples of a case begin."""
        self._tell = tell
        self._settings, self._workers = settings, dict[tuple[str, bool, int, str], Workers]()
        self._zygotes = dict[tuple[str, str], Zygote]()
        self._numba = False  # whether a case needs numba, of those that are known when a zygote starts
        self._locks = Locks()
        self._cores: set[int] | None = None

    def ask(self, case: Case, job: Job, seconds: float | None, watch: Callable[[str], None] | None = None) -> Outcome:
        """A job about a case, in a fresh process."""
        judged, self._numba = isinstance(job, MeasureJob | TrainJob), self._numba or wanted.numba(case)
        outcome = self._workers_for(case).ask(job, seconds, watch, judged=judged)
        return self._judged(job, outcome, seconds) if isinstance(job, MeasureJob | TrainJob) else outcome

    def beside(self, jobs: Sequence[GateJob], seconds: float | None) -> Iterator[tuple[int, Outcome]]:
        """Jobs that are no timings, several at once, as they end: the place of each, and its outcome."""
        python = [self._settings.interpreter(job.case) for job in jobs]
        return side_by_side(jobs, lambda: seconds, python, self._settings.variables)

    def load(self, cases: Sequence[Case]) -> None:
        """Start what the processes of these cases are forked from, so that it loads meanwhile."""
        self._numba = self._numba or any(map(wanted.numba, cases))
        self._workers_for(cases[0])

    def begin(self, cases: Sequence[Case]) -> None:
        """Start the processes that `interleaved` asks about these cases, beside each other, and do not wait for them."""
        self.load(cases)
        for place, case in enumerate(cases):
            self._workers_for(case, place).begin()

    def prepare(self, cases: Sequence[Case]) -> None:
        """Start the processes that `interleaved` asks about these cases, so that they have loaded what they need."""
        self.begin(cases)
        for place, case in enumerate(cases):
            self._workers_for(case, place).prepare()

    def interleaved(self, jobs: Sequence[MeasureJob], seconds: float | None) -> list[Outcome]:
        """Jobs in processes that are there at once, of which one takes a sample while the others wait."""
        turns = Interleaving(len(jobs))

        def one(place: int, job: MeasureJob) -> Outcome:
            try:
                turn = partial(turns.wait, place)
                return self._workers_for(job.case, place).ask(job, seconds, turn=turn, judged=True)
            finally:
                turns.leave(place)

        with ThreadPoolExecutor(len(jobs)) as threads:
            asked = [threads.submit(one, place, job) for place, job in enumerate(jobs)]
            try:
                outcomes = [a.result() for a in asked]
            except BaseException:
                for workers in self._workers.values():
                    workers.kill()
                raise
        return [self._judged(job, outcome, seconds) for job, outcome in zip(jobs, outcomes, strict=True)]

    def _judged(self, job: MeasureJob | TrainJob, outcome: Outcome, seconds: float | None) -> Outcome:
        return judge(job, outcome, seconds, lambda: self._workers_at((sys.executable, True, JUDGE, "kept")))

    def reading(self, device: str) -> Reading:
        """The machine now."""
        return monitor.reading(device)

    def close(self) -> None:
        """Stop every process."""
        for workers in self._workers.values():
            workers.close()
        for zygote in self._zygotes.values():
            zygote.close()
        self._locks.close()

    def _samples(self, job: Job) -> None:
        if isinstance(job, MeasureJob):
            self._tell("samples", job.case)

    def _workers_for(self, case: Case, place: int = 0) -> Workers:
        """Who starts the processes of a case; with several places, they can work side by side."""
        python, fork = self._settings.interpreter(case), self._settings.fork and case.device != "cuda"
        return self._workers_at((python, fork, place, case.allocator))

    def _workers_at(self, key: tuple[str, bool, int, str]) -> Workers:
        if key not in self._workers:
            python, fork, _, allocator = key
            zygote = self._zygote(python, allocator) if fork and POSSIBLE else None
            threads, more = self._settings.threads, self._settings.variables
            self._workers[key] = Workers(
                threads, fork, python, more, allocator, zygote=zygote, cores=self._own, sampling=self._samples
            )
        return self._workers[key]

    @property
    def _own(self) -> set[int]:
        """The cores of this run's processes, which no other run uses; none if it has all or there are not enough."""
        if self._cores is None:
            self._cores = cores.own(self._settings.threads, self._locks)
        return self._cores

    def _zygote(self, python: str, allocator: str) -> Zygote:
        """What the servers in an interpreter are forked from: OpenMP would bind all to one core while they load."""
        if (python, allocator) not in self._zygotes:
            env = environment.for_worker(self._settings.threads, allocator) | self._settings.variables
            with cores.only(self._own):
                self._zygotes[python, allocator] = Zygote(
                    [*program(python), *["--numba"] * self._numba], os.environ | env
                )
        return self._zygotes[python, allocator]
