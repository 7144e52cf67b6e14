"""What a trace set of FlashInfer-Bench holds, under its own names (flashinfer_bench/data at 40e6ca7, April 2026)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from types import UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from spikebench.records import schema, typed
from spikebench.records.schema import JsonValue

Kind = TypeVar("Kind", "Definition", "Solution", "Trace")
Status = Literal[
    "PASSED",
    "INCORRECT_SHAPE",
    "INCORRECT_NUMERICAL",
    "INCORRECT_DTYPE",
    "RUNTIME_ERROR",
    "COMPILE_ERROR",
    "TIMEOUT",
]


@dataclass(frozen=True)
class Axis:
    """A dimension: a constant one has a value, the value of a variable one is that of the workload."""

    type: Literal["const", "var"]
    value: int | None = None
    description: str | None = None


@dataclass(frozen=True)
class Tensor:
    """A tensor by the names of its axes; a scalar has no shape."""

    dtype: str
    shape: list[str] | None = None
    description: str | None = None


@dataclass(frozen=True)
class Definition:
    """What is computed: tensors, and a function `run` that computes it as `reference`."""

    name: str
    op_type: str
    axes: dict[str, Axis]
    inputs: dict[str, Tensor]
    outputs: dict[str, Tensor]
    reference: str
    tags: list[str] | None = None
    description: str | None = None
    constraints: list[str] | None = None


@dataclass(frozen=True)
class Source:
    """A file of a solution."""

    path: str
    content: str


@dataclass(frozen=True)
class Build:
    """How a solution is built and called; with `destination_passing_style` its function writes into its last arguments."""

    language: str
    target_hardware: list[str]
    entry_point: str
    dependencies: list[str] | None = None
    destination_passing_style: bool = True
    binding: str | None = None


@dataclass(frozen=True)
class Solution:
    """A way of computing a definition."""

    name: str
    definition: str
    author: str
    spec: Build
    sources: list[Source]
    description: str | None = None


@dataclass(frozen=True)
class Input:
    """Where the values of an input come from."""

    type: Literal["random", "scalar", "safetensors"]
    value: bool | int | float | None = None
    path: str | None = None
    tensor_key: str | None = None


@dataclass(frozen=True)
class Workload:
    """Sizes and inputs of one case."""

    axes: dict[str, int]
    inputs: dict[str, Input]
    uuid: str


@dataclass(frozen=True)
class Correctness:
    """The largest errors; "NaN" where nothing was compared."""

    max_relative_error: float | str = 0.0
    max_absolute_error: float | str = 0.0
    extra: dict[str, JsonValue] | None = None


@dataclass(frozen=True)
class Performance:
    """Times in milliseconds and their quotient, 0 where the reference was not timed."""

    latency_ms: float = 0.0
    reference_latency_ms: float = 0.0
    speedup_factor: float = 0.0


@dataclass(frozen=True)
class Environment:
    """The hardware and the versions of libraries."""

    hardware: str
    libs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """What a solution gave on a workload: correctness where it was compared, performance where it passed."""

    status: Status
    environment: Environment
    timestamp: str
    log: str = ""
    correctness: Correctness | None = None
    performance: Performance | None = None


@dataclass(frozen=True)
class Trace:
    """A workload of a definition, and what a solution gave on it; without these two it is a workload alone."""

    definition: str
    workload: Workload
    solution: str | None = None
    evaluation: Evaluation | None = None


def to_json(what: Definition | Solution | Trace) -> dict[str, object]:
    """JSON, without fields that hold nothing."""
    return _filled(asdict(what))


def _filled(value: dict[str, Any]) -> dict[str, Any]:
    return {k: _filled(v) if isinstance(v, dict) and k != "extra" else v for k, v in value.items() if v is not None}


def from_json(data: object, kind: type[Kind]) -> Kind:
    """One of the three from JSON; ValueError names the first field that is of another type. Unknown fields are left out."""
    typed.check(data, kind)
    return _made(data, kind)


def _made(data: Any, kind: Any) -> Any:
    if is_dataclass(kind) and isinstance(data, Mapping):
        hints = get_type_hints(kind, localns=vars(schema))
        return kind(**{k: _made(v, hints[k]) for k, v in data.items() if k in hints})  # pyright: ignore[reportCallIssue]  # a class
    origin, inner = get_origin(kind), get_args(kind)
    if data is None:
        return None
    if origin is UnionType:
        return _made(data, next((k for k in inner if is_dataclass(k) or get_origin(k) in (list, dict)), Any))
    if origin is list:
        return [_made(v, inner[0]) for v in data]
    if origin is dict:
        return {k: _made(v, inner[1]) for k, v in data.items()}
    return data
