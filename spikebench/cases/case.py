"""A case: one point to measure. Frozen, JSON, no tensors; `case_id` is a pure function of what was asked."""

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal, get_args

from spikebench import registry
from spikebench.cases.named import parse_network, parse_task
from spikebench.cases.subject import Subject, parse_subject, present
from spikebench.errors import Problem

Mode = Literal["inference", "forward", "train", "stream"]
Workload = Literal["layer", "projection", "network", "training"]
Allocator = Literal["kept", "default"]
DTYPES = ("float32", "float64", "bfloat16", "float16")
DEVICES = ("cpu", "cuda")

LATER_FIELDS: dict[str, Any] = {
    "bias": None,
    "allocator": "kept",
}  # fields newer than the first records, with their defaults, which are not written out


@dataclass(frozen=True)
class Case:
    """One point: a subject, a workload and its sizes. Sizes are numbers of steps T, batch items B and neurons N.

    `rate` is the output spike rate (spikes per neuron and step) that the input aims at; `seed` names input and noise. A
    layer with a `bias` has that mean input instead, equal for all neurons. `allocator`: freed memory is "kept" by the
    process, in huge pages, or returned as glibc does by "default".
    A network has in `network` its name, `shd` or `shd[width=64]`, and its N is the width that it has; its neurons fire at
    `rate` before it learns. A projection is the network `projection`, also `projection[layers=4]`.
    A training has a task, `name[options]`, and in `network` the changes to the task's own recipe, `[epochs=5,batch=64]`;
    its sizes are 0, because the data give them. Raises Problem for anything that cannot be a case.
    """

    subject: str
    T: int = 128
    B: int = 32
    N: int = 512
    mode: Mode = "train"
    workload: Workload = "layer"
    dtype: str = "float32"
    device: str = "cpu"
    seed: int = 0
    rate: float = 0.3
    network: str | None = None
    task: str | None = None
    bias: float | None = None
    allocator: Allocator = "kept"

    def __post_init__(self) -> None:
        object.__setattr__(self, "subject", str(parse_subject(self.subject)))
        if self.workload == "training":
            object.__setattr__(self, "task", str(parse_task(self.task or "")))
        elif self.workload in ("projection", "network"):
            self._name_network()
        elif self.network is not None:
            raise Problem(f"a {self.workload} has no network; {self.network!r} is one of workload network")
        for axis in "TBN":
            size = getattr(self, axis)
            if not isinstance(size, int) or size < (0 if self.workload == "training" else 1):
                raise Problem(f"{axis}={size} is not a size; give a whole number of at least 1")
        _one_of("mode", self.mode, get_args(Mode))
        _one_of("workload", self.workload, get_args(Workload))
        _one_of("dtype", self.dtype, DTYPES)
        _one_of("device", self.device, DEVICES)
        _one_of("allocator", self.allocator, get_args(Allocator))
        if self.bias is not None and self.workload != "layer":
            raise Problem(f"bias={self.bias} is the mean input of a layer; a {self.workload} has data of its own")
        if not 0 < self.rate < 1:
            raise Problem(f"rate={self.rate} is not an output spike rate; give a number between 0 and 1")

    def _name_network(self) -> None:
        if self.network is None and self.workload == "network":
            raise Problem(f"which network? there are {', '.join(registry.names('networks'))}")
        network = parse_network(self.network or "projection")
        if (network.name == "projection") != (self.workload == "projection"):
            raise Problem(f"{network.name} is not a workload {self.workload}; projection is one of its own")
        if self.mode == "stream":
            raise Problem("a network does not stream; take mode inference, forward or train")
        object.__setattr__(self, "network", str(network))
        object.__setattr__(self, "N", network.sizes.get("width", self.N))

    @property
    def gated(self) -> "Case":
        """The layer whose gate stands for this case: itself, or the neuron alone, for a network at the same sizes."""
        if self.workload == "training":
            return Case(self.subject, T=64, B=8, N=128, dtype=self.dtype, device=self.device)
        return self if self.workload == "layer" else replace(self, workload="layer", network=None)

    @cached_property
    def parsed(self) -> Subject:
        return parse_subject(self.subject)

    @property
    def options(self) -> dict[str, Any]:
        """Every option of the neuron with its value."""
        return self.parsed.all_options

    @cached_property
    def case_id(self) -> str:
        return case_id(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """The case with every default written out, but for those that records from before them do not have."""
        s = self.parsed
        spelled = {
            "neuron": s.name,
            "options": s.spelled_options,
            "backend": s.backend,
            "backend_options": s.spelled_how,
        }
        fields = {k: v for k, v in asdict(self).items() if k not in LATER_FIELDS or v != LATER_FIELDS[k]}
        whole = {"subject": self.subject, **spelled, **{k: v for k, v in fields.items() if k != "subject"}}
        return whole | vars(self).get("recorded", {})

    @staticmethod
    def from_json(data: dict[str, Any]) -> "Case":
        """The case again; fields that a case does not have are ignored.

        It is written as it was read also where its subject was recorded under an earlier name; changed, it has the new one.
        """
        known = Case.__dataclass_fields__
        case = Case(**{k: v for k, v in data.items() if k in known})
        if present(data["subject"]) != data["subject"]:  # it keeps its id, and equals the case as it is spelled now
            spelled = ("subject", "neuron", "options", "backend", "backend_options")
            object.__setattr__(case, "recorded", {k: data[k] for k in spelled if k in data})
        return case


def case_id(data: dict[str, Any]) -> str:
    """First 12 hexadecimal digits of the SHA-256 of the case's canonical JSON."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def present_id(recorded: dict[str, Any], id_: str) -> str:
    """The id that a new run of a recorded case gets: the recorded one, but where its subject has another name now."""
    same = present(str(recorded.get("subject"))) == recorded.get("subject")
    return id_ if same else replace(Case.from_json(recorded)).case_id


def grid(
    subjects: Iterable[str],
    T: Sequence[int] = (128,),
    B: Sequence[int] = (32,),
    N: Sequence[int] = (512,),
    mode: Sequence[str] = ("train",),
    **fixed: Any,
) -> list[Case]:
    """Every combination of subjects, sizes and modes; the sizes vary slowest, so that subjects can be compared early."""
    points = itertools.product(mode, T, B, N, list(subjects))
    return [Case(subject=s, T=t, B=b, N=n, mode=m, **fixed) for m, t, b, n, s in points]  # pyright: ignore[reportArgumentType]  # checked at run time


def with_changes(case: Case, **changes: Any) -> Case:
    """The same case with other fields."""
    return replace(case, **changes)


def _one_of(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise Problem(f"no {name} {value!r}; there are {', '.join(choices)}")
