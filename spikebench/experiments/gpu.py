"""A few minutes on a GPU that is somebody else's, spent in order of value: gates, sweeps against the floor, energy."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from spikebench import registry
from spikebench.analysis import stats
from spikebench.cases.case import Case, grid
from spikebench.host import clock, environment
from spikebench.host.cores import Cores
from spikebench.records.record import Record, Status
from spikebench.run.process import Outcome, Workers
from spikebench.run.session import JOBS, Session, Settings

ELSEWHERE = ("cpu", "snntorch", "spikingjelly", "norse", "sinabs")  # backends that a GPU says nothing about
COMPILED = ("lif@compiled",)  # torch.compile takes most of a minute for each
FUSED = tuple(f"{n}@triton" for n in ("lif", "spsn", "psu", "exodus", "spike_sampler"))
PATIENT = {"lif@indexed": 2048, "lif@cudagraph": 4096, "lif@eager": 16384}  # launches by the thousand: up to this T
FEW = 3  # samples of those
METRICS = ("latency", "bandwidth", "compile_time", "spike_rate")


@dataclass(frozen=True)
class Stage:
    """Cases that belong together. Without metrics they only pass the gate; `share`: of what is left of the budget."""

    name: str
    cases: tuple[Case, ...]
    metrics: tuple[str, ...] = ()
    share: float = 1.0


def stages(device: str = "cuda", tiny: bool = False) -> list[Stage]:
    """What there is to do, most valuable first; `tiny`: the same in miniature, to see that it works."""
    swept = tuple(sweeps(device, **({"T": 16, "N": 8, "longest": 32, "widest": 64} if tiny else {})))
    return [
        Stage("gates", tuple(every(device, tiny)), share=0.3),
        Stage("sweeps", swept[4:7] if tiny else swept, METRICS, share=0.5),
        Stage("energy", tuple(named(device, tiny)), ("energy",), share=0.6),
        Stage("memory", tuple(c for c in named(device, tiny) if c.mode == "train"), ("peak_memory",), share=0.5),
    ]


def every(device: str, tiny: bool) -> Iterator[Case]:
    """Every neuron on every backend a GPU runs: ours first, then in other precisions, then what its kernels stand for."""
    sizes: dict[str, Any] = {"T": [16 if tiny else 128], "B": [4], "N": [8 if tiny else 64], "device": device}
    neurons = ["lif", "spsn"] if tiny else registry.names("neurons")
    pairs = [(n, b) for n in neurons for b in registry.backends(n) if b not in ELSEWHERE]
    subjects = [f"{n}@{b}" for n, b in pairs if b != "compiled" or f"{n}@{b}" in COMPILED]
    ours = [s for s in subjects if s.endswith("@triton")]
    yield from grid(ours, **sizes)
    for dtype in ("float64", "bfloat16"):
        yield from grid(ours, dtype=dtype, **sizes)
    yield from grid(ours, mode=["inference"], **sizes)
    yield from grid(sorted((s for s in subjects if s not in ours), key=lambda s: s in COMPILED), **sizes)


def sweeps(device: str, T: int = 1024, N: int = 512, longest: int = 16384, widest: int = 262144) -> Iterator[Case]:
    """Around T steps and B = 32: the length from 128, the number of series from 512; fused kernels and what they replace."""
    rivals = ("lif@eager", "lif@cudagraph", "lif@indexed", "spsn@fft", "spsn@scan")
    lengths = [t for t in (128, 512, 4096, 16384) if t <= longest] or [longest]
    batches = [m // N for m in (512, 4096, 65536, 262144) if N <= m <= widest] or [widest // N]
    yield from grid((*FUSED, *rivals), T=[T], B=[32], N=[N], device=device)
    yield from grid(FUSED, T=[T], B=[32], N=[N], mode=["inference"], device=device)
    for subjects in (FUSED[:2], rivals, FUSED[2:]):
        found = grid(subjects, T=[T], B=batches, N=[N], device=device)
        found += grid(subjects, T=lengths, B=[32], N=[N], device=device)
        yield from (c for c in found if _within(c))


def _within(case: Case) -> bool:
    """Whether a case ends in reasonable time and memory: loops have a longest T, and eager graphs a largest size."""
    small = case.T * case.B * case.N <= 2**28 or case.parsed.backend == "triton"
    return small and case.T <= PATIENT.get(case.subject, case.T)


def named(device: str, tiny: bool) -> list[Case]:
    """The eight cases of energy, which takes 20 s for each, and peak memory."""
    sizes: dict[str, Any] = {"T": [16 if tiny else 1024], "B": [4 if tiny else 128], "N": [8 if tiny else 512]}
    if tiny:
        return grid(("lif@eager", "spsn@fft"), device=device, **sizes)
    cases = grid(("lif@triton", "lif@eager", "spsn@triton", "spsn@fft", "psu@triton"), device=device, **sizes)
    return cases + grid(("lif@triton", "spsn@triton", "lif@eager"), mode=["inference"], device=device, **sizes)


@dataclass(frozen=True)
class Budget:
    """Seconds that may be spent, counted from when it is made."""

    seconds: float
    start: float

    @staticmethod
    def of(seconds: float) -> "Budget":
        return Budget(seconds, clock.monotonic())

    @property
    def left(self) -> float:
        return self.seconds - (clock.monotonic() - self.start)

    def part(self, share: float) -> "Budget":
        """A share of what is left, counted from now."""
        return Budget.of(self.left * share)


class Borrowed(Session):
    """A session that loses no time on a borrowed machine: the next process starts while one measures, gates run side by side.

    Every process is started anew, none is forked. `commit` is that of the source tree, which may have no history there.
    """

    def __init__(self, settings: Settings, budget: Budget, commit: str | None = None) -> None:
        super().__init__(settings)
        self.budget = budget
        if commit:
            self.environment |= {"commit": commit, "dirty": None}
        self._ready = Ready(self._variables)

    def __enter__(self) -> "Borrowed":
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__(*_)
        self._ready.close()

    def ask(self, case: Case, job: dict[str, Any], watch: Callable[[str], None] | None = None) -> Outcome:
        """A job about a case, in a process that was started before; it may take what is left of the budget."""
        if self.budget.left <= 0:
            return Outcome("skipped", f"the budget of {self.budget.seconds:g} s was spent")
        workers = self._ready.take()
        try:
            return workers.ask(*self._bounded(case, job), watch)
        finally:
            workers.close()

    def _bounded(self, case: Case, job: dict[str, Any]) -> tuple[dict[str, Any], float | None]:
        """A job with its case; it may take what is left of the budget."""
        limit = max(1.0, min(self.settings.timeout or self.budget.left, self.budget.left))
        return job | {"case": case.to_json(), "memory_limit": self.settings.memory_limit}, limit

    def gate_record(self, case: Case, outcome: Outcome) -> Record:
        """The record of a gate that nothing was timed after."""
        found = outcome.result.get("gate")
        gate = found and {k: v for k, v in found.items() if k != "bias"}
        head: dict[str, Any] = {"run": self.run_id, "case_id": case.case_id, "case": case.to_json(), "gate": gate}
        status, facts = cast(Status, outcome.status), self.environment | {"time": clock.wall(), "isolation": "spawn"}
        return Record(**head, status=status, reason=outcome.reason, environment=facts)


AHEAD = (
    3  # processes that have started before they are needed: odd, so that the one begun is never on the measured half
)


class Ready:
    """Fresh processes that wait for a job: while one measures on half of the cores, another one starts on the others.

    A process dies with the thread that started it, so the threads live as long as this does.
    """

    def __init__(self, variables: dict[str, str]) -> None:
        parts = Cores.parts(2)
        self.threads, self._variables = parts.count, variables
        self._pools = deque(ThreadPoolExecutor(1, initializer=parts.take) for _ in parts.free)
        self._waiting = deque(self._begin() for _ in range(AHEAD))

    def _begin(self) -> Future[Workers]:
        self._pools.rotate()
        return self._pools[0].submit(self._start)

    def _start(self) -> Workers:
        workers = Workers(self.threads, fork=False, more=self._variables)
        workers.prepare()
        return workers

    def take(self) -> Workers:
        """A process that has started; the one after it begins to."""
        ready = self._waiting.popleft().result()
        self._waiting.append(self._begin())
        return ready

    def close(self) -> None:
        """Stop the processes that wait."""
        for waiting in self._waiting:
            waiting.result().close()
        for pool in self._pools:
            pool.shutdown()


def measured(session: Borrowed, stage: Stage, keep: Callable[[Record], None]) -> int:
    """Measure a stage's cases as far as its share of the budget goes, and say how many were left out.

    Every record is kept as it comes.

    The gates come first, side by side, for a few cases at a time, so that nothing else runs while one is timed.
    """
    budget, cases, done = session.budget.part(stage.share), list(stage.cases), 0
    while cases and budget.left > 0:
        group, cases = (cases[: 2 * JOBS], cases[2 * JOBS :]) if stage.metrics else (cases, [])
        for case, outcome in session.gates(group, lambda: budget.left):
            if not stage.metrics:
                keep(session.gate_record(case, outcome))
                done += 1
        for case in group if stage.metrics else ():
            if budget.left > 0:
                session.settings.samples = FEW if case.subject in PATIENT else 20
                keep(session.measure(case, metrics=stage.metrics))
                done += 1
    return len(stage.cases) - done


def summary(records: Iterable[Record], left_out: dict[str, int] | None = None) -> dict[str, Any]:
    """What came of it: how many records of each status, what is not ok and why, the median of every metric (SI units).

    `left_out` is the number of cases of each stage that the budget did not reach.
    """
    found = list(records)
    rows = []
    for r in found:
        found_here = {m.metric: stats.median(m.samples) for m in r.measurements if m.samples}
        if found_here:
            rows.append({k: r.case[k] for k in ("subject", "mode", "T", "B", "N", "dtype")} | found_here)
    states = [r.status for r in found]
    bad = [{"subject": r.case["subject"], "case": r.case_id, "status": r.status, "reason": r.reason} for r in found]
    return {
        "machine": environment.machine(),
        "records": {s: states.count(s) for s in dict.fromkeys(states)},
        "left_out": left_out or {},
        "not_ok": [b for b in bad if b["status"] != "ok"],
        "medians": rows,
    }
