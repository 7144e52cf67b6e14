"""Measures cases in processes of their own: the gate first, then one process for time and one for memory."""

import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar, cast, get_args

from spikebench.analysis import stability
from spikebench.cases.case import Case, Layer, Mode, NetworkStep, with_changes
from spikebench.cases.subject import ANYWHERE, foreign_file
from spikebench.host import clock, environment
from spikebench.host.monitor import Around, Monitor
from spikebench.records.files import sha256
from spikebench.records.flags import Flag
from spikebench.records.gate import GateResult
from spikebench.records.record import Record, Status
from spikebench.run import assemble, wanted
from spikebench.run.pool import Fresh, Pool
from spikebench.run.protocol import GateJob, Job, MeasureJob, Outcome, TrainJob
from spikebench.run.settings import Settings

TRIES = int(Flag.UNSTEADY.threshold)  # of a case that is unsteady, when strict
AnyJob = TypeVar("AnyJob", bound=Job)
SMALL = 2**26  # bytes of input; of what is larger, one process at a time has its data in memory


class Session:
    """Gates, environment and pool of processes, shared by what is measured together. Use as a context manager.

    Without a `pool` each job has a fresh process on this machine.
    """

    def __init__(self, settings: Settings, pool: Pool | None = None) -> None:
        self.settings = settings
        self._pool: Pool = pool or Fresh(settings, lambda what, case: self.tell(what, case))
        self.run_id = f"{int(clock.wall())}-{secrets.token_hex(3)}"
        here = environment.gather()
        self.environment = here.to_json() | {"threads": settings.threads, "placement": "OMP_PROC_BIND=true"}
        self._interpreters = {p: environment.of(p) for p in set(settings.python.values())}
        if settings.python:  # the origin of all records of this session, whose versions differ on purpose
            others = {name: asdict(self._interpreters[p]) for name, p in settings.python.items()}
            self.environment |= {"session": asdict(here.interpreter) | {"interpreters": others}}
        self._gates: dict[str, Outcome] = {}
        self.handed: str | None = ANYWHERE if settings.unpickle else None  # the folder whose pickles processes may read
        self.deadline: float | None = None  # no process runs longer, in seconds of the monotonic clock
        self.tell: Callable[[str, Case], None] = lambda *_: None  # is told what begins

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()

    def load(self, cases: Sequence[Case]) -> None:
        """Start what loads before the first process of these cases can work, and do not wait for it."""
        if isinstance(self._pool, Fresh):
            self._pool.load(cases)

    def ask(self, case: Case, job: Job, watch: Callable[[str], None] | None = None) -> Outcome:
        """A job about a case, in a fresh process of the interpreter that the case runs in."""
        return self._pool.ask(case, self._bounded(job), self._limit(), watch)

    def _bounded(self, job: AnyJob) -> AnyJob:
        return replace(job, memory_limit=self.settings.memory_limit, unpickle=self.handed)

    def _limit(self) -> float | None:
        """How many seconds a job that begins now may take."""
        left = math.inf if self.deadline is None else max(1.0, self.deadline - clock.monotonic())
        limit = min(self.settings.timeout or math.inf, left)
        return None if math.isinf(limit) else limit

    def gate(self, case: Case) -> Outcome:
        """The gate's outcome for a case, in a process of its own, once per session. Every mode has the same input."""
        if case.case_id not in self._gates:
            modes = get_args(Mode) if isinstance(case, Layer) else ()  # a network has data of its own, and no bias
            if isinstance(case, Layer) and case.autocast:  # of which no stream has one
                modes = tuple(m for m in modes if m != "stream")
            alike = (self._gates.get(with_changes(case, mode=m).case_id) for m in modes)
            known = next((g.result.gate.bias for g in alike if g and g.status == "ok" and g.result.gate), None)
            self.tell("gate", case)
            self._gates[case.case_id] = self.ask(case, GateJob(case, known))
        return self._gates[case.case_id]

    def gates(self, cases: Iterable[Case]) -> Iterator[tuple[Case, Outcome]]:
        """The gates that cases have not had, several at once, as they end: a gate is no timing."""
        todo = list({c.case_id: c for c in (case.gated for case in cases) if c.case_id not in self._gates}.values())
        found = self._pool.beside([self._bounded(GateJob(case)) for case in todo], self._limit())
        for index, outcome in found:
            if outcome.status != "skipped":
                self._gates[todo[index].case_id] = outcome
                yield todo[index], outcome

    def gated(self, case: Case) -> bool:
        """Whether a case has had its gate."""
        return case.gated.case_id in self._gates

    def _gated(self, case: Case) -> Outcome:
        """The outcome of all gates of a case: its neuron's, and where that passed a network's own."""
        layer = self.gate(case.gated)
        return self.gate(case) if layer.status == "ok" and isinstance(case, NetworkStep) else layer

    def head(self, case: Case, repeat: int, gate: GateResult | None) -> Record:
        """A record of this session with what is known before anything is measured."""
        made = assemble.head(self.run_id, case, repeat, gate)
        return replace(made, flags=[Flag.SHARED]) if self.settings.shared else made

    def measure(self, case: Case, repeat: int = 0, metrics: tuple[str, ...] | None = None) -> Record:
        """One case in fresh processes; with `strict` again while it is unsteady, then flagged so."""
        return self.block([case], repeat, metrics)[0]

    def block(self, cases: Sequence[Case], repeat: int = 0, metrics: tuple[str, ...] | None = None) -> list[Record]:
        """Cases to be compared, each in fresh processes; with `strict` again while one is unsteady, then flagged so.

        On the CPU they are there at once and their times are interleaved, so that what slows the machine for a
        while slows them all; not where an input is larger than SMALL. Else one comes after the other.
        """
        metrics = metrics or self.settings.metrics
        records, tries = self._block(cases, repeat, metrics), 1
        while self.settings.strict and any(map(stability.unsteady, records)) and tries < TRIES:
            records, tries = self._block(cases, repeat, metrics), tries + 1
        if not self.settings.strict:
            return records
        return [
            replace(
                r,
                flags=[*r.flags, *[Flag.UNSTEADY] * stability.unsteady(r)],
                environment=r.environment | {"tries": tries},
            )
            for r in records
        ]

    def _block(self, cases: Sequence[Case], repeat: int, metrics: tuple[str, ...]) -> list[Record]:
        pool, small = self._pool, all(c.device == "cpu" and 4 * c.T * c.B * c.N <= SMALL for c in cases)
        beside = len(cases) > 1 and small and wanted.INTERLEAVED & set(metrics)
        if beside and isinstance(pool, Fresh):
            pool.begin(cases)  # they load while the gates are at work, which are no timing
        passed = [c for c in cases if self._gated(c).status == "ok"] if beside else []
        if len(passed) < 2 or not isinstance(pool, Fresh):
            return [self._measure(c, repeat, metrics) for c in cases]
        pool.prepare(passed)
        monitor, start = Monitor("cpu"), clock.monotonic()
        names = wanted.processes(metrics, passed[0])[0][1]
        jobs = [self._job(c, "timing", names) for c in passed]
        self.tell("warm-up", passed[0])
        outcomes, tries = pool.interleaved(jobs, self._limit()), 1
        while any(o.disturbing or o.repeated for o in outcomes) and tries < TRIES:
            outcomes, tries = pool.interleaved(jobs, self._limit()), tries + 1
        around = monitor.end(sum(o.cpu_seconds or 0.0 for o in outcomes), clock.monotonic() - start)
        timed = iter((outcome, around) for outcome in outcomes)
        return [self._measure(c, repeat, metrics, next(timed) if c in passed else None) for c in cases]

    def _measure(
        self, case: Case, repeat: int, metrics: tuple[str, ...], timed: tuple[Outcome, Around] | None = None
    ) -> Record:
        """One case: the gate if it has not been, then a fresh process for time and one for memory.

        `timed` is the outcome of the first where that is done, with what else went on.
        """
        gated = self._gated(case)
        found = self.gate(case.gated).result.gate
        head = self.head(case, repeat, found and replace(found, network=gated.result.network))
        if gated.status != "ok":
            reason = f"gate: {gated.reason}"
            status, facts = cast(Status, gated.status), self._facts({}, case)
            return replace(head, status=status, reason=reason, environment=facts).finite()
        monitor = Monitor(case.device, self._pool.reading)
        watch = monitor.look if case.device == "cuda" else None  # on the CPU, looking would disturb
        left = wanted.processes(metrics, case)[timed is not None :]
        outcomes = [timed[0]] if timed else []
        outcomes += [o for p, names in left for o in self._sampled(case, p, names, watch)]
        own, wall = sum(o.cpu_seconds or 0.0 for o in outcomes), sum(o.wall_seconds for o in outcomes)
        around = timed[1] if timed else monitor.end(own, wall)
        return assemble.measured(head, case, outcomes, around, self._facts(around.to_json(), case))

    def _sampled(
        self, case: Case, process: str, names: list[str], watch: Callable[[str], None] | None
    ) -> list[Outcome]:
        """What as many fresh processes as the metrics want have to say; no more of them after one without samples."""
        outcomes: list[Outcome] = []
        for _ in range(wanted.count(names, self.settings)):
            self.tell("warm-up" if process == "timing" else process, case)
            outcomes.append(self.ask(case, self._job(case, process, names), watch))
            if not any(m.samples for m in outcomes[-1].result.measurements):
                break
        return outcomes

    def _job(self, case: Case, process: str, names: list[str]) -> MeasureJob:
        gate = self.gate(case.gated).result.gate if isinstance(case, Layer) else None
        return self._bounded(wanted.job(case, process, names, self.settings, gate))

    def train(
        self,
        case: Case,
        data_root: Path | None,
        watch: Callable[[str], None] | None = None,
        checkpoints: Path | None = None,
    ) -> Record:
        """One seed of a training in a fresh process, after the gate has seen its neuron as a layer.

        Its state is kept in the folder `checkpoints` after every epoch, and taken up from there.
        """
        gated = self.gate(case.gated)
        found = gated.result.gate
        job = TrainJob(case, str(data_root) if data_root else None, str(checkpoints) if checkpoints else None)
        outcome = self.ask(case, job, watch) if gated.status == "ok" else gated
        head = self.head(case, 0, found)
        return replace(
            head,
            status=cast(Status, outcome.status),
            reason=outcome.reason,
            measurements=outcome.result.measurements,
            environment=self._facts({}, case) | {"ran_on": assemble.ran_on([outcome])},
            flags=[*head.flags, *[Flag.UNGATED] * (found is not None and found.status == "none")],
        ).finite()

    def _facts(self, around: dict[str, object], case: Case) -> dict[str, object]:
        interpreter = self._interpreters.get(self.settings.interpreter(case))
        other: dict[str, object] = asdict(interpreter) if interpreter else {}
        now = {"time": clock.wall(), "isolation": "fork" if self.settings.fork else "spawn"}
        allocator = {
            "timing": "glibc, freed memory kept, huge pages",
            "memory": "glibc, freed memory returned, small pages",
        }
        if case.allocator == "default":
            allocator["timing"] = "glibc as it comes"
        file = foreign_file(case.parsed)
        source = {"source": sha256(file)} if file is not None and file.is_file() else {}
        return self.environment | other | environment.load() | now | around | {"allocator": allocator} | source
