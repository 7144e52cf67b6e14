"""The types of a record's JSON, which is open: a file may hold fields of later versions, and they are kept."""

from collections.abc import Mapping, Sequence
from typing import Annotated, NotRequired, TypeAlias, TypedDict

JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"


class CaseJson(TypedDict):
    """A case as it is recorded; `point.py` writes it. The first versions had no `bias`, `allocator` and `autocast`, and only what is trained by a scheme has one."""

    subject: str
    neuron: str
    backend: str
    T: int
    B: int
    N: int
    mode: str
    workload: str
    dtype: str
    device: str
    seed: int
    options: dict[str, bool | int | float | str | None]
    backend_options: dict[str, bool | int | float | str | None]
    rate: float | None
    network: str | None
    task: str | None
    bias: NotRequired[float | None]
    allocator: NotRequired[str]
    autocast: NotRequired[str | None]
    scheme: NotRequired[str]
    scheme_options: NotRequired[dict[str, bool | int | float | str | None]]


class DetailJson(TypedDict, total=False):
    """How samples were taken: what figures and assessments read of it. Metrics write more, each in its own file."""

    interleaved: bool
    group: int
    resolution: float
    hertz: list[float]
    kappa: list[float | None]
    rate: float | None
    rate_hard: float | None
    rate_soft: float | None
    steps: int
    neurons: int
    bits: str
    counts: list[float]
    active: float
    difference: float
    equal_spikes: bool
    copied: float | None


class CardJson(TypedDict, total=False):
    """A GPU."""

    name: str
    uuid: str
    driver: str
    memory_bytes: int


class InterpreterJson(TypedDict, total=False):
    """A Python and its libraries; of a session that has several, `interpreters` are the others by name."""

    python: str
    versions: dict[str, str]
    interpreters: "dict[str, InterpreterJson]"


class EnvironmentJson(InterpreterJson, total=False):
    """What was true of the machine and the checkout while a record was made; `host/environment.py` and its monitor say it.

    A record made from a frame has `origin`, a label, in place of all else that tells origins apart.
    """

    machine: str
    host: str
    cpu: str
    cores: int | None
    memory_bytes: int
    os: str
    gpu: CardJson | str | None
    commit: str | None
    dirty: str | None
    threads: int
    placement: str
    ran_on: list[int]  # cores that the record's processes were kept to; earlier versions did not say
    session: InterpreterJson
    origin: str
    time: Annotated[float, (0, 9e10)]  # s since 1970; within, whole numbers are dates
    isolation: str
    allocator: dict[str, str]
    load_1min: float
    steal_share: float
    stolen_cpu: float
    other_cpu: float | None
    other_gpu_processes: int
    throttle_reasons: list[str]
    lowest_clock_share: float
    top_sm_clock: float
    sm_clock: dict[str, float]
    gpu_celsius: dict[str, float]
    tries: int
    started: float
    ended: float
    accelerator: str | None
    aa_floor: float | None
    source: str  # SHA-256 of the file of a subject that is somebody's own
