"""What every case has, and how `Case(…)` becomes the kind of case that its workload names; see `cases/case.py`."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast, get_args

from spikebench.cases.subject import Subject, parse_subject, present
from spikebench.errors import Problem
from spikebench.records.schema import CaseJson

if TYPE_CHECKING:
    from spikebench.cases.case import Layer

Mode = Literal["inference", "forward", "train", "stream"]
Workload = Literal["layer", "projection", "network", "events", "training"]
Allocator = Literal["kept", "default"]
DTYPES = ("float32", "float64", "bfloat16", "float16")
AUTOCASTS = (None, "bfloat16", "float16")
DEVICES = ("cpu", "cuda")
RATE = 0.3
SIZES, SEEDS = 2**31, 2**63  # below which sizes and seeds lie

# what is written of a case that has no such field, as the first records have it
FIRST_FIELDS: dict[str, object] = {"rate": RATE, "network": None, "task": None}
# fields newer than the first records, with their defaults, which are not written out
LATER_FIELDS: dict[str, object] = {"bias": None, "allocator": "kept", "autocast": None}
OWNERS = {
    "rate": "layers and networks aim at one",
    "network": "it is one of workload network",
    "task": "it is one of workload training",
    "bias": "it is the mean input of a layer",
    "allocator": "layers and networks have one",
    "autocast": "it is one of a layer's or a network's forward pass",
}
ARGUMENTS = (*"subject T B N mode workload dtype device seed rate network task bias allocator autocast".split(),)
SPELLED = ("subject", "neuron", "options", "backend", "backend_options", "scheme", "scheme_options")
KINDS: dict[str, type["Case"]] = {}  # by workload; every kind enters itself


class _ByWorkload(type):
    """What makes `Case(…)` give the kind of case that its workload names; the kinds are called as any class."""

    if not TYPE_CHECKING:

        def __call__(cls, *args: Any, **fields: Any) -> Any:
            return made(*args, **fields) if cls is Case else super().__call__(*args, **fields)


@dataclass(frozen=True)
class Case(metaclass=_ByWorkload):
    """One point: a subject, and what every workload has. Sizes are numbers of steps T, batch items B and neurons N.

    `Case(subject, …, workload=…)` is a Layer, a NetworkStep or a Training, made of the fields that it has; see `made`.
    `subject` is its text in one spelling, `parsed` the same parsed, and
    `recorded` how an earlier version spelled it, in a case that was read. `seed` names input and noise.
    `allocator`: freed memory is "kept" by the process, in huge pages, or returned as glibc does by "default".
    Raises Problem for anything that cannot be a case.
    """

    subject: str
    T: int = 128
    B: int = 32
    N: int = 512
    mode: Mode = "train"
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = 0
    allocator: Allocator = "kept"
    parsed: Subject = field(init=False, repr=False, compare=False)
    recorded: dict[str, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    if TYPE_CHECKING:

        def __init__(
            self,
            subject: str,
            T: int | None = None,
            B: int | None = None,
            N: int | None = None,
            mode: Mode = "train",
            workload: Workload = "layer",
            dtype: str = "float32",
            device: str = "cpu",
            seed: int = 0,
            rate: float = RATE,
            network: str | None = None,
            task: str | None = None,
            bias: float | None = None,
            allocator: Allocator = "kept",
            autocast: str | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        check_plain(subject=self.subject, device=self.device)
        assign(self, "parsed", parse_subject(self.subject, self.device))
        assign(self, "subject", str(self.parsed))
        for axis in ("T", "B", "N", "seed"):
            size = getattr(self, axis)
            if isinstance(size, Integral) and not isinstance(size, bool):
                assign(self, axis, int(size))  # also numpy's
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or not 0 <= self.seed < SEEDS:
            raise Problem(f"seed={self.seed} is not a seed; give a whole number from 0 to 2^63 - 1")
        for axis in "TBN":
            size = getattr(self, axis)
            if not isinstance(size, int) or isinstance(size, bool) or not self.least <= size < SIZES:
                raise Problem(f"{axis}={size} is not a size; give a whole number of at least {self.least}")
        one_of("mode", self.mode, get_args(Mode))
        one_of("dtype", self.dtype, DTYPES)
        one_of("device", self.device, DEVICES)
        one_of("allocator", self.allocator, get_args(Allocator))

    least: ClassVar[int] = 1  # what T, B and N are at least

    OWN: ClassVar[tuple[str, ...]] = ()  # arguments of `Case(…)` that only its kind has

    def __init_subclass__(cls, workloads: tuple[str, ...] = ()) -> None:
        KINDS.update(dict.fromkeys(workloads, cls))

    @classmethod
    def of(
        cls, workload: Workload, subject: str, sizes: dict[str, int], mode: Mode, fields: Mapping[str, Any]
    ) -> "Case":
        """The kind made of the arguments of `Case(…)`; `sizes` are those of T, B and N that were given."""
        raise NotImplementedError

    @property
    def workload(self) -> Workload:
        """What is run."""
        raise NotImplementedError

    @property
    def gated(self) -> "Layer":
        """The layer whose gate stands for this case: itself, or the neuron alone, for a network at the same sizes."""
        raise NotImplementedError

    def own(self) -> dict[str, object]:
        """The fields of its kind, as they are written."""
        raise NotImplementedError

    @property
    def options(self) -> Mapping[str, Any]:
        """Every option of the neuron with its value, of the type that the neuron declares."""
        return self.parsed.all_options

    @cached_property
    def case_id(self) -> str:
        return case_id(self.to_json())

    def to_json(self) -> CaseJson:
        """The case with every default written out, but for those that records from before them do not have."""
        s = self.parsed
        spelled = {"neuron": s.name, "options": s.spelled_options}
        spelled |= {"backend": s.backend, "backend_options": s.spelled_how}
        spelled |= {"scheme": s.scheme, "scheme_options": s.spelled_rule} if s.scheme else {}
        every = {
            k: getattr(self, k) for k in ("T", "B", "N", "mode", "workload", "dtype", "device", "seed", "allocator")
        }
        fields = {"subject": self.subject} | spelled | every | FIRST_FIELDS | self.own() | self.recorded
        kept = {k: v for k, v in fields.items() if k not in LATER_FIELDS or v != LATER_FIELDS[k]}
        return cast(CaseJson, kept)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> "Case":
        """The case again; fields that a case does not have are ignored.

        It is written as it was read also where its subject was recorded under an earlier name; changed, it has the new one.
        """
        case = made(**{k: v for k, v in data.items() if k in ARGUMENTS})
        if present(data["subject"]) != data["subject"]:  # it keeps its id, and equals the case as it is spelled now
            assign(case, "recorded", {k: data[k] for k in SPELLED if k in data})
        return case


def made(
    subject: str,
    T: int | None = None,
    B: int | None = None,
    N: int | None = None,
    mode: Mode = "train",
    workload: Workload = "layer",
    dtype: str = "float32",
    device: str = "cpu",
    seed: int = 0,
    **own: Any,
) -> Case:
    """The kind of case that the workload names. `own` are its fields: rate, network, task, bias, allocator.

    Of a training, `network` is its recipe. Raises Problem for a field that the kind does not have.
    """
    one_of("workload", workload, get_args(Workload))
    kind = KINDS[workload]
    given = {k: v for k, v in own.items() if v != (FIRST_FIELDS | LATER_FIELDS).get(k, ...)}
    for name in given.keys() - set(kind.OWN):
        raise Problem(
            f"a {workload} has no {name}, and {given[name]!r} was given; {OWNERS.get(name, 'no case has it')}"
        )
    sizes = {axis: size for axis, size in zip("TBN", (T, B, N), strict=True) if size is not None}
    return kind.of(workload, subject, sizes, mode, given | {"dtype": dtype, "device": device, "seed": seed})


def case_id(data: Mapping[str, object]) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the case's canonical JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def assign(what: object, name: str, value: object) -> None:
    object.__setattr__(what, name, value)  # while it is made


def check_autocast(case: Case, autocast: str | None) -> None:
    if autocast not in AUTOCASTS:
        raise Problem(f"no autocast {autocast!r}; there are {', '.join(filter(None, AUTOCASTS))}")
    if autocast and (case.mode == "stream" or case.dtype != "float32"):
        raise Problem(f"autocast {autocast} takes float32 and no mode stream; the case has {case.dtype}, {case.mode}")


def check_plain(**given: object) -> None:
    """Problem for what is no text."""
    for name, value in given.items():
        if not isinstance(value, str):
            raise Problem(f"{name}={value!r} is not a text")


def check_rate(rate: float) -> None:
    if not isinstance(rate, int | float) or not 0 < rate < 1:
        raise Problem(f"rate={rate} is not an output spike rate; give a number between 0 and 1")


def one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise Problem(f"no {name} {value!r}; there are {', '.join(choices)}")
