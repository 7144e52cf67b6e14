"""A GPU session with a budget: gates of all that is to be timed side by side, then stage after stage, each with its share."""

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import cast

from spikebench.cases.case import Case
from spikebench.experiments.gpu_plan import Block, Stage, gate_seconds, gates, process_seconds
from spikebench.host import clock
from spikebench.host.monitor import Reading, reading
from spikebench.records.gate import GateResult
from spikebench.records.record import Record, Status
from spikebench.run import blocks
from spikebench.run.beside import BESIDE, side_by_side
from spikebench.run.pool import judge
from spikebench.run.process import Workers
from spikebench.run.protocol import GateJob, Job, MeasureJob, Outcome, Result
from spikebench.run.session import Session
from spikebench.run.settings import Settings

AHEAD = 8  # processes that are started at once, before one of them is needed
START = 5.0  # seconds that this takes, also the least for which one is started
LENIENT = 15.0  # seconds that a process may take besides four times what is predicted; more is stuck
GATES = 0.35  # share of the budget that all gates may take


@dataclass(frozen=True)
class Budget:
    """Seconds that may be spent, counted from when it is made, by a clock."""

    seconds: float
    start: float
    now: Callable[[], float]

    @staticmethod
    def of(seconds: float, now: Callable[[], float] = clock.monotonic) -> "Budget":
        return Budget(seconds, now(), now)

    @property
    def left(self) -> float:
        return self.seconds - (self.now() - self.start)

    def part(self, share: float) -> "Budget":
        """A share of what is left, counted from now."""
        return Budget.of(self.left * share, self.now)


class Ready:
    """Fresh processes that have started, and on a GPU initialised it, before a job comes; nothing starts while one measures.

    No job takes longer than what is left of `budget`. A process dies with the thread that started it, so the threads live
    as long as this does.
    """

    def __init__(self, threads: int, variables: dict[str, str], budget: Budget, opened: bool = True) -> None:
        self.budget = budget
        self._count, self._variables, self._opened = threads, variables, opened
        self._new = partial(Workers, threads=threads, fork=False, more=variables, opened=opened)
        self._threads = ThreadPoolExecutor(AHEAD)
        self._waiting = deque[Workers]()
        self._judges = list[Workers]()  # one, which never has a subject, once something was timed

    def prepare(self, count: int, more: int) -> None:
        """Let `count` processes wait at least; where some have to start, as many as `more` jobs will ask for, side by side."""
        if len(self._waiting) < count:
            wanted = max(count, min(AHEAD, more)) - len(self._waiting)
            self._waiting.extend(self._threads.map(self._start, range(wanted)))

    def _start(self, _: int) -> Workers:
        workers = self._new()
        workers.prepare()
        return workers

    def ask(self, case: Case, job: Job, seconds: float | None, watch: Callable[[str], None] | None = None) -> Outcome:
        """A job about a case, in a process that waits."""
        if self.budget.left <= 0:
            return Outcome("skipped", f"the {self.budget.seconds:.0f} s that there were for it are spent")
        self.prepare(1, 1)
        with self._waiting.popleft() as workers:
            if not isinstance(job, MeasureJob):
                return workers.ask(job, self._limit(seconds), watch)
            outcome = workers.ask(job, self._limit(seconds), watch, judged=True)
            return judge(job, outcome, self._limit(seconds), self._judge)  # while its files are there

    def _judge(self) -> Workers:
        if not self._judges:
            self._judges.append(Workers(self._count, more=self._variables))
        return self._judges[0]

    def beside(self, jobs: Sequence[GateJob], seconds: float | None) -> Iterator[tuple[int, Outcome]]:
        """Jobs that are no timings, several at once, as they end."""
        return side_by_side(jobs, lambda: self._limit(seconds), more=self._variables)

    def _limit(self, seconds: float | None) -> float:
        return min(seconds or self.budget.left, self.budget.left)

    def reading(self, device: str) -> Reading:
        """The machine now, without the processes that wait: they hold the GPU, and do nothing with it."""
        found = reading(device)
        idle = len(self._waiting) if self._opened else 0
        return found if found.gpu is None else replace(found, gpu=found.gpu.without(idle))

    def close(self) -> None:
        """Stop the processes that wait."""
        for workers in (*self._waiting, *self._judges):
            workers.close()
        self._threads.shutdown()


@dataclass
class Forecast:
    """A pool that takes no time: it moves a clock of its own by what each job is predicted to take."""

    budget: Budget = field(init=False)
    time: float = 0.0
    waiting: int = 0

    def now(self) -> float:
        return self.time

    def prepare(self, count: int, more: int) -> None:
        if self.waiting < count:
            self.waiting = max(count, min(AHEAD, more))
            self.time += START

    def ask(self, case: Case, job: Job, seconds: float | None, watch: Callable[[str], None] | None = None) -> Outcome:
        left = min(seconds or self.budget.left, self.budget.left)
        timed = isinstance(job, MeasureJob)
        wanted = process_seconds(case, job.metrics, job.fewest) if timed else gate_seconds(case)
        self.waiting = max(0, self.waiting - 1)
        self.time += min(wanted, max(0.0, left))
        return _PASSED if wanted <= left else Outcome("timeout", f"no result after {left:g} s")

    def beside(self, jobs: Sequence[GateJob], seconds: float | None) -> Iterator[tuple[int, Outcome]]:
        start, ends = self.time, [START] * BESIDE
        for index, job in enumerate(jobs):
            place = min(range(BESIDE), key=ends.__getitem__)
            ends[place] += gate_seconds(job.case)
            fits = ends[place] <= min(seconds or self.budget.seconds, self.budget.seconds)
            self.time = max(self.time, start + ends[place]) if fits else self.time
            yield index, _PASSED if fits else Outcome("skipped", "no time was left")

    def reading(self, device: str) -> Reading:
        return Reading(0.0, 0.0)

    def close(self) -> None:
        self.waiting = 0


_PASSED = Outcome("ok", result=Result(gate=GateResult("none", bias=0.0, spikes=0.0)))


@dataclass
class Visit:
    """What is measured in a budget: gates of everything first, then the stages. Every record is kept as it comes.

    `keep` takes each record, `say` a line of progress. `left_out` names by stage what was not reached.
    """

    session: Session
    pool: Ready | Forecast
    budget: Budget
    keep: Callable[[Record], None]
    say: Callable[[str], None]
    left_out: dict[str, list[str]] = field(default_factory=dict)
    spent: dict[str, float] = field(default_factory=dict)
    planned: dict[str, int] = field(default_factory=dict)
    _failed: set[str] = field(default_factory=set)
    _repeats: Counter[str] = field(default_factory=Counter)

    def run(self, device: str, tiny: bool, stages: Sequence[Stage]) -> None:
        """Everything in order of value: the gates of all stages but the last first, and its own when its time has come."""
        *most, last = stages
        self.gates("gates", [*gates(device, tiny)], [c for stage in most for c in stage.cases])
        for stage in most:
            self.stage(stage)
        if self.budget.left > 0:
            self.gates(f"gates of {last.name}", [], last.cases)
        self.stage(last)

    def gates(self, name: str, own: Sequence[Case], timed: Sequence[Case]) -> None:
        """The gates of all cases, those that take longest first. `own` are measured no further: their records are kept here."""
        start, self.pool.budget = self.budget.left, self.budget.part(GATES)
        wanted = {c.case_id: c for c in [*own, *(c.gated for c in timed)]}
        first = sorted(wanted.values(), key=gate_seconds, reverse=True)
        self.say(f"{name}: {len(first)} side by side")
        recorded, seen = {c.case_id for c in own}, set[str]()
        for case, outcome in self.session.gates(first):
            seen.add(case.case_id)
            if case.case_id in recorded:
                self.keep(gate_record(self.session, case, outcome))
            elif outcome.status != "ok":
                self.say(f"gate of {described(case)}: {outcome.status} ({outcome.reason})")
        missed = [c for k, c in wanted.items() if k not in seen and not self.session.gated(c)]
        self.planned[name] = len(seen) + len(missed)
        self._end(name, start, missed)

    def stage(self, stage: Stage) -> None:
        """Measure a stage's blocks as far as its share goes; a case that failed is not tried again."""
        start, self.pool.budget = self.budget.left, self.budget.part(stage.share)
        self.say(f"{stage.name}: {len(stage.blocks)} blocks in at most {self.pool.budget.left:.0f} s")
        ahead, missed = sum(len(b.cases) for b in stage.blocks), list[Case]()
        self.planned[stage.name] = ahead
        for block in stage.blocks:
            cases = [c for c in block.cases if c.case_id not in self._failed]
            needed = sum(process_seconds(c, block.metrics, block.fewest) for c in cases) / 2
            if self.pool.budget.left <= needed or self.budget.left <= START:
                missed += cases
            elif cases:
                self.pool.prepare(len(cases), ahead)
                missed += self._measure(block, cases)
            ahead -= len(block.cases)
        self._end(stage.name, start, missed)

    def _measure(self, block: Block, cases: list[Case]) -> list[Case]:
        """Measure a block; gives the cases that no time was left for."""
        repeat = max(self._repeats[c.case_id] for c in cases)
        settings, longest = self.session.settings, max(process_seconds(c, block.metrics, block.fewest) for c in cases)
        settings.fewest, settings.timeout = block.fewest, LENIENT + 4 * longest
        order = random.Random(f"{cases[0].case_id} {repeat}")
        measured = blocks.block(self.session, cases, repeat, block.metrics, order)
        for _, record in measured:
            self._repeats[record.case_id] = repeat + 1
            if record.status not in ("ok", "skipped"):
                self._failed.add(record.case_id)
            if record.status != "skipped":
                self.keep(record)
        return [cases[place] for place, record in measured if record.status == "skipped"]

    def _end(self, name: str, start: float, missed: list[Case]) -> None:
        self.spent[name] = start - self.budget.left
        if missed:
            self.left_out[name] = [described(c) for c in missed]


def described(case: Case) -> str:
    """A case in a few words."""
    mode = "" if case.mode == "train" else f" {case.mode}"
    name = case.subject if len(case.subject) < 60 else f"{case.parsed.name}[…]@{case.parsed.backend}"
    return f"{name} T={case.T} B={case.B} N={case.N}{mode}"


TESTS = 25.0  # seconds that tests/gpu took on an H100 with 16 cores
SHARES = {"tests": 0.15, "tuned": 0.11}  # of what is left of the budget, at most, of what comes before the gates


def forecast(seconds: float, device: str, tiny: bool, stages: Sequence[Stage], before: Sequence[str] = ()) -> Visit:
    """A session of so many seconds as it is predicted: the same steps, on a clock that predictions move.

    `before` names what comes before the gates: tests, tuned.
    """
    pool, settings = Forecast(), Settings(("latency",), fork=False, processes=1, warmup=1.0)
    pool.budget = budget = Budget.of(seconds, pool.now)
    with Session(settings, pool) as session:
        visit = Visit(session, pool, budget, keep=lambda _: None, say=lambda _: None)
        for name in before:
            share = budget.part(SHARES[name]).left
            visit.spent[name], visit.planned[name] = min(TESTS, share) if name == "tests" else share, 1
            pool.time += visit.spent[name]
        visit.run(device, tiny, stages)
    return visit


def gate_record(session: Session, case: Case, outcome: Outcome) -> Record:
    """The record of a gate that nothing was timed after."""
    head = session.head(case, 0, outcome.result.gate)
    status, facts = cast(Status, outcome.status), session.environment | {"time": clock.wall(), "isolation": "spawn"}
    return replace(head, status=status, reason=outcome.reason, environment=facts).finite()
