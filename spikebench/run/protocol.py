"""The messages between a parent and its child processes: jobs go one way and results the other, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

from spikebench.analysis.causes import Observed
from spikebench.cases.case import Case
from spikebench.cases.options import Options
from spikebench.cases.subject import Way
from spikebench.records.flags import Flag
from spikebench.records.gate import GateResult, NetworkGate
from spikebench.records.record import Measurement

KINDS: dict[str, type["Job"]] = {}  # by the name that stands on the wire; every kind enters itself


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is asked. `memory_limit` is in bytes beyond what the process has when it begins.

    Pickles in the folder `unpickle` may be read, and no others: that executes what is in them.
    """

    kind: ClassVar[str]
    memory_limit: int | None = None
    unpickle: str | None = None

    def __init_subclass__(cls, kind: str) -> None:
        cls.kind = kind
        KINDS[kind] = cls

    def to_json(self) -> dict[str, object]:
        """The job as it is sent."""
        given = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return {"kind": self.kind, **{k: v.to_json() if isinstance(v, Case) else v for k, v in given.items()}}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Job":
        """The job that was sent."""
        given = {k: v for k, v in data.items() if k != "kind"}
        if "case" in given:
            given["case"] = Case.from_json(given["case"])
        if "draws" in given:
            given["draws"] = [Drawn(**d) for d in given["draws"]]
        return KINDS[data["kind"]](**given)


@dataclass(frozen=True)
class GateJob(Job, kind="gate"):
    """Compare a case with its definition. `bias` is the mean of its input, if it is known."""

    case: Case
    bias: float | None = None


@dataclass(frozen=True)
class MeasureJob(Job, kind="measure"):
    """Sample metrics of a case in a process for "timing" or "memory".

    A launch over `slow` seconds is sampled `fewest` times; warming up ends after `warmup` seconds. The output of the
    timed input, whose mean is `bias`, must have `spikes` spikes.
    """

    case: Case
    process: str
    metrics: list[str]
    samples: int
    fewest: int
    slow: float
    warmup: float
    bias: float | None = None
    spikes: float | None = None


@dataclass(frozen=True)
class Drawn:
    """What a process that times asked its parent to draw, or told it, and when, in seconds of the parent's clock.

    `what`: "sample" and "input" ask for the seed of an input, "gradient" for that of an output gradient, "launch" for that
    of the series to be compared, after the clock has stopped, and has what it read as the `event` of a sample. "kept"
    tells the digest of what was copied then. `held_up` are the seconds that process and parent had waited for a core by
    then, as `clock.held_up` counts them.
    """

    what: str
    seed: str = ""
    event: list[Any] | None = None
    digest: str = ""
    at: float = 0.0
    held_up: float = 0.0


@dataclass(frozen=True)
class JudgeJob(Job, kind="judge"):
    """Compare what a process kept of its timed launches with the definition, in a process that never had the subject.

    `evidence` is the file, `bias` the mean of a layer's input. `marks` are the parent's own readings, in seconds: when each
    sample was announced, when the process was told to go on, and how long its threads had worked or waited for a core by
    then; the last mark is the end. `draws` are what the parent drew for it meanwhile, `samples` how many it was asked for.
    """

    case: Case
    evidence: str
    bias: float | None
    marks: list[list[float]]
    samples: int = 0
    draws: list[Drawn] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """The job as it is sent."""
        return super().to_json() | {"draws": [vars(d) for d in self.draws]}


@dataclass(frozen=True)
class TrainJob(Job, kind="train"):
    """Train one seed. Its state is kept in the folder `checkpoints`."""

    case: Case
    data_root: str | None = None
    checkpoints: str | None = None


@dataclass(frozen=True)
class CheckJob(Job, kind="check"):
    """Check what a subject computes, against the neuron `like` if one is named; `fixed` sizes are kept to.

    `enclosed`: without a network and writing only where the result goes, and watching whether it reads a clock.
    """

    subject: str
    like: str | None = None
    fixed: dict[str, int] | None = None
    device: str = "cpu"
    enclosed: bool = False


@dataclass(frozen=True)
class WayJob(Job, kind="way"):
    """Find out how a foreign module is called; `how` is what is known of that. `n` and `lengths` are tried first."""

    subject: str
    how: Options
    n: int
    lengths: list[int]
    device: str = "cpu"


@dataclass(frozen=True)
class TraceJob(Job, kind="trace"):
    """Trace one warm launch of a case into a file."""

    case: Case
    file: str


@dataclass(frozen=True)
class ObserveJob(Job, kind="observe"):
    """Observe what a launch of a case does. `bias` is the mean of its input; a subject that is `fixed` has no other sizes."""

    case: Case
    bias: float
    fixed: bool = False


@dataclass(frozen=True)
class Request:
    """A job as one process gets it: where its result and what it prints go, its threads, whether its samples are interleaved.

    `evidence` is the file for what it keeps of timed launches; without one it compares them itself. `cgroup` is the folder of
    the group of processes that it goes into before it works, if there is one.
    """

    job: Job
    result: str
    log: str
    threads: int
    turns: bool = False
    evidence: str | None = None
    cgroup: str | None = None

    def to_json(self) -> dict[str, object]:
        """The request as it is sent."""
        return {**vars(self), "job": self.job.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Request":
        """The request that was sent."""
        return Request(Job.from_json(data["job"]), **{k: v for k, v in data.items() if k != "job"})


@dataclass(frozen=True)
class CheckResult:
    """One check: whether it passed (None: it does not apply), and what was seen."""

    check: str
    passed: bool | None
    detail: str


@dataclass(frozen=True)
class FoundWay:
    """How a foreign module is called, and how that was found: its text, how it was made, notes, sizes it holds to."""

    subject: str
    made: str
    notes: list[str]
    way: Way
    fixed: dict[str, int]


@dataclass(frozen=True)
class TraceRow:
    """An operator: how often it was called, and its share of the time."""

    operator: str
    calls: int
    share: float


@dataclass(frozen=True)
class Trace:
    """Operators of one warm launch by their own time, their calls per time step, and the file of the whole trace."""

    rows: list[TraceRow]
    calls_per_step: float
    file: str


@dataclass(frozen=True)
class Traced:
    """The trace of a case, or why there is none."""

    case: Case
    reason: str | None
    trace: Trace | None

    def to_json(self) -> dict[str, object]:
        """What `profile --json` prints."""
        return {**(asdict(self.trace) if self.trace else {}), "case": self.case.to_json(), "reason": self.reason}


@dataclass(frozen=True)
class Result:
    """The answer of a child process: a status, and what its kind of job gives. `problem`: the subject cannot be built."""

    status: str = "ok"
    reason: str | None = None
    problem: bool = False
    gate: GateResult | None = None
    network: NetworkGate | None = None
    measurements: list[Measurement] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    checks: list[CheckResult] | None = None
    way: FoundWay | None = None
    trace: Trace | None = None
    observed: Observed | None = None

    def to_json(self) -> dict[str, object]:
        """The result as it is sent. Samples may be infinite here: what becomes of them, the parent decides."""
        return {**asdict(self), "gate": self.gate and self.gate.to_json()}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Result":
        """The result that was sent."""
        plain = Result(**{k: data[k] for k in ("status", "reason", "problem", "flags")})
        checks, way, trace, network = (data[k] for k in ("checks", "way", "trace", "network"))
        observed = data["observed"]
        return replace(
            plain,
            gate=GateResult.from_json(data["gate"]) if data["gate"] else None,
            network=NetworkGate(**network) if network else None,
            measurements=[Measurement(**m) for m in data["measurements"]],
            checks=None if checks is None else [CheckResult(**c) for c in checks],
            way=FoundWay(**way | {"way": Way(**way["way"])}) if way else None,
            trace=Trace(**trace | {"rows": [TraceRow(**r) for r in trace["rows"]]}) if trace else None,
            observed=Observed.from_json(observed) if observed else None,
        )


@dataclass
class Outcome:
    """How a job ended: status and reason of the process, the worker's result, the end of what it printed.

    `evidence` is the file of what the process kept of its timed launches, `marks` are what the parent read at each sample,
    and `draws` what it drew: see JudgeJob. `waited` are the seconds in which others had their turn, and `worked` the CPU
    seconds that the process used meanwhile, without those in which idle threads fall asleep. `printed` counts the bytes
    that the job printed, `left` the processes that it left running and that were ended, `cores` are those that its threads
    were kept to at its end. An outcome is `disturbed` if the job is not to blame: its server was of no use, or
    somebody stopped its process. It is then asked once more, and `repeated`.
    """

    status: str
    reason: str | None = None
    result: Result = field(default_factory=Result)
    log: str = ""
    cpu_seconds: float | None = None
    wall_seconds: float = 0.0
    evidence: str | None = None
    marks: list[list[float]] = field(default_factory=list)
    draws: list[Drawn] = field(default_factory=list)
    waited: float = 0.0
    worked: float = 0.0
    printed: int = 0
    left: int = 0
    cores: list[int] = field(default_factory=list)
    disturbed: bool = False
    repeated: bool = False

    @property
    def disturbing(self) -> bool:
        """Whether the process worked while others had their turn."""
        return self.worked > Flag.DISTURBING.threshold * self.waited and self.worked > 0.05
