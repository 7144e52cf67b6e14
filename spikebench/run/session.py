"""The parent: order, isolate, time out, resume, budget, progress. It alone appends records."""

import json
import math
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast, get_args

from spikebench import declarations, registry
from spikebench.analysis import select, stability
from spikebench.cases.case import Case, Layer, Mode, NetworkStep, with_changes
from spikebench.errors import Problem
from spikebench.host import clock, environment
from spikebench.host.monitor import Around, Monitor, Reading
from spikebench.records import store
from spikebench.records.flags import Flag
from spikebench.records.gate import GateResult
from spikebench.records.record import Measurement, Record, Status
from spikebench.run.executor import Executor, Local, Repeat
from spikebench.run.pooled import pooled
from spikebench.run.process import Interleaving, Workers, side_by_side
from spikebench.run.protocol import GateJob, Job, MeasureJob, Outcome, TrainJob

DEFAULT_METRICS = ("latency", "compile_time", "copy", "spike_rate", "peak_memory")
TRIES = int(Flag.UNSTEADY.threshold)  # of a case that is unsteady, when strict
INTERLEAVED = {"latency", "backward"}  # metrics whose samples are interleaved among the processes of a block
SMALL = 2**26  # bytes of input; of what is larger, one process at a time has its data in memory


@dataclass
class Settings:
    """How a run measures. `budget` bounds the whole run and `timeout` each process, in seconds; `memory_limit` is in bytes.

    A launch that takes longer than `slow` seconds is sampled `fewest` times. Warming up ends after `warmup` seconds.
    """

    metrics: tuple[str, ...] = DEFAULT_METRICS
    samples: int = 20
    fewest: int = 5
    slow: float = 0.2
    warmup: float = 10.0
    timeout: float | None = 300.0
    memory_limit: int | None = None
    budget: float | None = None
    repeats: int = 1
    threads: int = field(default_factory=environment.threads)
    fork: bool = True
    processes: int | None = None  # at most so many for a metric that asks for several
    strict: bool = False  # measure what is unsteady again, at most TRIES times in all, and mark what stays so
    kernels: Path | None = None  # folder of kernels that triton has compiled, and compiles into; None: triton's own
    python: dict[str, str] = field(default_factory=dict)  # backend, or foreign file or package → interpreter

    def __post_init__(self) -> None:
        self.metrics = tuple(registry.find("metrics", m) for m in self.metrics)
        if self.samples < 1 or self.repeats < 1:
            raise Problem(f"samples={self.samples}, repeats={self.repeats}: give at least 1 of each")

    def to_json(self) -> str:
        """The settings as text; `from_json` reads it."""
        return json.dumps(asdict(self) | {"kernels": str(self.kernels) if self.kernels else None})

    @staticmethod
    def from_json(text: str) -> "Settings":
        """The settings that were written."""
        read = json.loads(text)
        kernels = Path(read["kernels"]) if read["kernels"] else None
        return Settings(**read | {"metrics": tuple(read["metrics"]), "kernels": kernels})

    @property
    def variables(self) -> dict[str, str]:
        """Environment variables of processes: where the compiled kernels of triton are."""
        return {"TRITON_CACHE_DIR": str(self.kernels.resolve())} if self.kernels else {}


Progress = Callable[[str, Case, int, int], None]


class Pool(Protocol):
    """Processes that a session asks in place of its own; seconds are the longest that a job may take, None for no limit."""

    def ask(self, job: Job, seconds: float | None, watch: Callable[[str], None] | None = None) -> Outcome:
        """A job in a fresh process."""
        ...

    def beside(self, jobs: Sequence[Job], seconds: float | None) -> Iterator[tuple[int, Outcome]]:
        """Jobs that are no timings, several at once, as they end: the place of each, and its outcome."""
        ...

    def reading(self, device: str) -> Reading:
        """The machine now, without those of its processes that wait."""
        ...

    def close(self) -> None:
        """Stop every process."""
        ...


class Session:
    """Processes, gates and environment shared by what is measured together. Use as a context manager.

    With a `pool` the processes are those of the pool; else the session starts its own.
    """

    def __init__(self, settings: Settings, pool: Pool | None = None) -> None:
        self.settings, self._pool = settings, pool
        self.run_id = f"{int(clock.wall())}-{secrets.token_hex(3)}"
        here = environment.gather()
        self.environment = here.to_json() | {"threads": settings.threads, "placement": "OMP_PROC_BIND=true"}
        self._workers: dict[tuple[str, bool, int, str], Workers] = {}
        self._interpreters = {p: environment.of(p) for p in set(settings.python.values())}
        if settings.python:  # the origin of all records of this session, whose versions differ on purpose
            others = {name: asdict(self._interpreters[p]) for name, p in settings.python.items()}
            self.environment |= {"session": asdict(here.interpreter) | {"interpreters": others}}
        self._gates: dict[str, Outcome] = {}
        self.deadline: float | None = None  # no process runs longer, in seconds of the monotonic clock

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_: object) -> None:
        for workers in self._workers.values():
            workers.close()
        if self._pool:
            self._pool.close()

    def _python(self, case: Case) -> str:
        """The interpreter that a case runs in: that of its backend, or of the file or package of a foreign subject."""
        name = case.parsed.name
        names = (case.parsed.backend, name, name.rpartition(":")[0])
        return next((self.settings.python[n] for n in names if n in self.settings.python), sys.executable)

    def _workers_for(self, case: Case, place: int = 0) -> Workers:
        """Who starts the processes of a case; with several places, they can work side by side."""
        python, fork = self._python(case), self.settings.fork and case.device != "cuda"
        key = (python, fork, place, case.allocator)
        if key not in self._workers:
            given = (self.settings.threads, fork, python, self.settings.variables, case.allocator)
            self._workers[key] = Workers(*given)
        return self._workers[key]

    def ask(self, case: Case, job: Job, watch: Callable[[str], None] | None = None) -> Outcome:
        """A job about a case, in a fresh process of the interpreter that the case runs in."""
        return (self._pool or self._workers_for(case)).ask(*self._bounded(job), watch)

    def _interleaved(self, case: Case, job: Job, place: int, turns: Interleaving) -> Outcome:
        """A job in the process at this place among those that are interleaved."""
        try:
            return self._workers_for(case, place).ask(*self._bounded(job), turn=partial(turns.wait, place))
        finally:
            turns.leave(place)

    def _bounded(self, job: Job) -> tuple[Job, float | None]:
        """The job with its limit of memory, and how long it may take."""
        left = math.inf if self.deadline is None else max(1.0, self.deadline - clock.monotonic())
        limit = min(self.settings.timeout or math.inf, left)
        return replace(job, memory_limit=self.settings.memory_limit), None if math.isinf(limit) else limit

    def gate(self, case: Case) -> Outcome:
        """The gate's outcome for a case, in a process of its own, once per session. Every mode has the same input."""
        if case.case_id not in self._gates:
            modes = get_args(Mode) if isinstance(case, Layer) else ()  # a network has data of its own, and no bias
            alike = (self._gates.get(with_changes(case, mode=m).case_id) for m in modes)
            known = next((g.result.gate.bias for g in alike if g and g.status == "ok" and g.result.gate), None)
            self._gates[case.case_id] = self.ask(case, GateJob(case, known))
        return self._gates[case.case_id]

    def gates(self, cases: Iterable[Case]) -> Iterator[tuple[Case, Outcome]]:
        """The gates that cases have not had, several at once, as they end: a gate is no timing."""
        wanted = list({c.case_id: c for c in (case.gated for case in cases) if c.case_id not in self._gates}.values())
        asked = [self._bounded(GateJob(case)) for case in wanted]
        jobs, seconds = [job for job, _ in asked], next((limit for _, limit in asked), None)
        found = self._pool.beside(jobs, seconds) if self._pool else self._beside(jobs, seconds)
        for index, outcome in found:
            if outcome.status != "skipped":
                self._gates[wanted[index].case_id] = outcome
                yield wanted[index], outcome

    def gated(self, case: Case) -> bool:
        """Whether a case has had its gate."""
        return case.gated.case_id in self._gates

    def _beside(self, jobs: Sequence[Job], seconds: float | None) -> Iterator[tuple[int, Outcome]]:
        def python(job: Job) -> str:
            return self._python(job.case) if isinstance(job, GateJob) else sys.executable

        return side_by_side(jobs, lambda: seconds, python, self.settings.variables)

    def _gated(self, case: Case) -> Outcome:
        """The outcome of all gates of a case: its neuron's, and where that passed a network's own."""
        layer = self.gate(case.gated)
        return self.gate(case) if layer.status == "ok" and isinstance(case, NetworkStep) else layer

    def measure(self, case: Case, repeat: int = 0, metrics: tuple[str, ...] | None = None) -> Record:
        """One case in fresh processes; with `strict` again while it is unsteady, then flagged so."""
        return self.block([case], repeat, metrics)[0]

    def block(self, cases: Sequence[Case], repeat: int = 0, metrics: tuple[str, ...] | None = None) -> list[Record]:
        """Cases to be compared, each in fresh processes; with `strict` again while one is unsteady, then flagged so.

        On the CPU they are there at once and their times are interleaved, so that what slows the machine for a
        while slows them all; not where an input is larger than SMALL. Else one comes after the other.
        """
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

    def _block(self, cases: Sequence[Case], repeat: int, metrics: tuple[str, ...] | None) -> list[Record]:
        small = all(c.device == "cpu" and 4 * c.T * c.B * c.N <= SMALL for c in cases)
        beside = len(cases) > 1 and small and INTERLEAVED & set(metrics or self.settings.metrics)
        passed = [c for c in cases if self._gated(c).status == "ok"] if beside else []
        if len(passed) < 2:
            return [self._measure(c, repeat, metrics) for c in cases]
        for place, case in enumerate(passed):
            self._workers_for(case, place).prepare()
        turns, monitor, start = Interleaving(len(passed)), Monitor("cpu"), clock.monotonic()
        with ThreadPoolExecutor(len(passed)) as threads:
            names = self._processes(metrics, passed[0])[0][1]
            jobs = [self._wanted(c, "timing", names) for c in passed]
            asked = [
                threads.submit(self._interleaved, c, job, k, turns)
                for k, (c, job) in enumerate(zip(passed, jobs, strict=True))
            ]
            try:
                outcomes = [a.result() for a in asked]
            except BaseException:
                for workers in self._workers.values():
                    workers.kill()
                raise
        around = monitor.end(sum(o.cpu_seconds or 0.0 for o in outcomes), clock.monotonic() - start)
        timed = iter((outcome, around) for outcome in outcomes)
        return [self._measure(c, repeat, metrics, next(timed) if c in passed else None) for c in cases]

    def _measure(
        self,
        case: Case,
        repeat: int,
        metrics: tuple[str, ...] | None,
        timed: tuple[Outcome, Around] | None = None,
    ) -> Record:
        """One case: the gate if it has not been, then a fresh process for time and one for memory.

        `timed` is the outcome of the first where that is done, with what else went on.
        """
        gated = self._gated(case)
        found = self.gate(case.gated).result.gate
        head = self._head(case, repeat, found and replace(found, network=gated.result.network))
        if gated.status != "ok":
            reason = f"gate: {gated.reason}"
            status, facts = cast(Status, gated.status), self._facts({}, case)
            return replace(head, status=status, reason=reason, environment=facts).finite()
        monitor = Monitor(case.device, self._pool.reading if self._pool else None)
        watch = monitor.look if case.device == "cuda" else None  # on the CPU, looking would disturb
        left = self._processes(metrics, case)[timed is not None :]
        outcomes = [timed[0]] if timed else []
        outcomes += [o for p, names in left for o in self._asked(case, p, names, watch)]
        own, wall = sum(o.cpu_seconds or 0.0 for o in outcomes), sum(o.wall_seconds for o in outcomes)
        around = timed[1] if timed else monitor.end(own, wall)
        bad = next((o for o in outcomes if o.status != "ok"), None)
        measurements = pooled([m for o in outcomes for m in o.result.measurements])
        flags = sorted({f for o in outcomes for f in o.result.flags})
        flags += [Flag.UNGATED] if found and found.status == "none" else []
        flags += [Flag.OFF_RATE] if found and _off_rate(case, found.spikes) else []
        flags += around.flags
        flags += [Flag.BIMODAL] if _bimodal(measurements) else []
        status, reason = _summary(bad, measurements)
        facts = self._facts(around.to_json(), case)
        made = replace(head, status=status, reason=reason, measurements=measurements, environment=facts, flags=flags)
        return made.finite()

    def _head(self, case: Case, repeat: int, gate: GateResult | None) -> Record:
        """A record with what is known before anything is measured; its gate says which layer stood for the case."""
        layer = None if isinstance(case, Layer) else case.gated.case_id
        return Record(
            self.run_id, case.case_id, case.to_json(), repeat=repeat, gate=gate and replace(gate, layer=layer)
        )

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
        flags: list[str] = [Flag.UNGATED] * (found is not None and found.status == "none")
        return replace(
            self._head(case, 0, found),
            status=cast(Status, outcome.status),
            reason=outcome.reason,
            measurements=outcome.result.measurements,
            environment=self._facts({}, case),
            flags=flags,
        ).finite()

    def _asked(self, case: Case, process: str, names: list[str], watch: Callable[[str], None] | None) -> list[Outcome]:
        """What as many fresh processes as the metrics want have to say; no more of them after one without samples."""
        outcomes: list[Outcome] = []
        wanted = max(_declared(m, "processes", 1) for m in names)
        for _ in range(min(wanted, self.settings.processes or wanted)):
            outcomes.append(self.ask(case, self._wanted(case, process, names), watch))
            if not any(m.samples for m in outcomes[-1].result.measurements):
                break
        return outcomes

    def _processes(self, metrics: tuple[str, ...] | None, case: Case) -> list[tuple[str, list[str]]]:
        """The metrics of each process, that of time first and in it the latency.

        On a GPU the latency never comes alone: the device's own time stands beside it.
        """
        found: dict[str, list[str]] = {"timing": []}
        wanted = list(metrics or self.settings.metrics)
        if case.device == "cuda" and "latency" in wanted and "device_time" not in wanted:
            wanted.insert(wanted.index("latency") + 1, "device_time")
        for m in sorted(wanted, key=lambda m: m != "latency"):
            found.setdefault(_process_of(m), []).append(m)
        return [(p, names) for p, names in found.items() if names]

    def _wanted(self, case: Case, process: str, names: list[str]) -> MeasureJob:
        """What a process is asked for: these metrics of a case."""
        found = self.gate(case.gated).result.gate if isinstance(case, Layer) else None
        spikes = found.spikes if found and found.status == "passed" else None
        s, bias = self.settings, found.bias if found else None
        return MeasureJob(case, process, names, s.samples, min(s.fewest, s.samples), s.slow, s.warmup, bias, spikes)

    def _facts(self, around: dict[str, object], case: Case) -> dict[str, object]:
        interpreter = self._interpreters.get(self._python(case))
        other: dict[str, object] = asdict(interpreter) if interpreter else {}
        now = {"time": clock.wall(), "isolation": "fork" if self.settings.fork else "spawn"}
        allocator = {
            "timing": "glibc, freed memory kept, huge pages",
            "memory": "glibc, freed memory returned, small pages",
        }
        if case.allocator == "default":
            allocator["timing"] = "glibc as it comes"
        return self.environment | other | environment.load() | now | around | {"allocator": allocator}


def _off_rate(case: Case, spikes: float | None) -> bool:
    """Whether the gate counted far fewer or far more spikes than the case aims at."""
    rate, far = (spikes or 0.0) / (case.T * case.B * case.N), Flag.OFF_RATE.threshold
    return (
        isinstance(case, Layer)
        and case.mode != "stream"
        and case.bias is None
        and not case.rate / far <= rate <= far * case.rate
    )


def _process_of(metric: str) -> str:
    return _declared(metric, "process", "timing")


def _declared(metric: str, what: str, usual: Any) -> Any:
    """A literal in a metric's file."""
    return declarations.module_literals(registry.file("metrics", metric)).get(what, usual)


def _bimodal(measurements: list[Measurement]) -> bool:
    samples = next((m.samples for m in measurements if m.metric == "latency"), [])
    return bool(samples) and sorted(samples)[len(samples) // 2] > Flag.BIMODAL.threshold * min(samples)


def _summary(bad: Outcome | None, measurements: list[Measurement]) -> tuple[Status, str | None]:
    if bad is not None:
        last = bad.log.strip().splitlines()[-1:] if bad.status == "failed" and "no result" in (bad.reason or "") else []
        return cast(Status, bad.status), "; ".join([bad.reason or bad.status, *last])
    for m in measurements:
        if any(not math.isfinite(v) for v in m.samples):
            return "failed", f"{m.metric} gave a sample that is not finite"
        if m.status == "failed" or (m.metric == "latency" and not m.samples):
            return "failed", f"{m.metric}: {m.reason or 'no samples'}"
    return "ok", None


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
