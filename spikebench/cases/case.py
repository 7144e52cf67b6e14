"""A case says what to measure: a layer of one neuron, a step of a network, or a training. It is frozen, JSON, and holds no tensors.

`case_id` depends on nothing but what was asked. It is a promise: the id of a recorded case never changes.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypeVar, cast

from spikebench import registry
from spikebench.cases.arguments import asked, expected, shortened
from spikebench.cases.named import ALONE, Network, Task, parse_network, parse_task
from spikebench.cases.options import Options, parse_options
from spikebench.cases.point import LATER_FIELDS as LATER_FIELDS
from spikebench.cases.point import (
    RATE,
    Allocator,
    Case,
    Mode,
    Workload,
    assign,
    check_autocast,
    check_plain,
    check_rate,
    made,
)
from spikebench.cases.point import case_id as case_id
from spikebench.cases.subject import present
from spikebench.errors import Problem


@dataclass(frozen=True)
class Layer(Case, workloads=("layer",)):
    """One layer of a neuron alone. Its input is scaled until the neuron fires about `rate` times per neuron and time step.

    With a `bias` the input has that mean instead, the same for all neurons. `autocast` is the type of torch.autocast in
    the forward pass, None without it.
    """

    OWN: ClassVar[tuple[str, ...]] = ("rate", "bias", "allocator", "autocast")

    rate: float = RATE
    bias: float | None = None
    autocast: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rate(self.rate)
        check_autocast(self, self.autocast)
        if self.parsed.scheme:
            raise Problem(
                f"{self.parsed.scheme} trains a network, not a layer; add --network shd, or take `spikebench train`"
            )
        if why := None if self.bias is None else expected(self.bias, float):
            raise Problem(f"bias={shortened(self.bias)} is not {why}")

    @classmethod
    def of(
        cls, workload: Workload, subject: str, sizes: dict[str, int], mode: Mode, fields: Mapping[str, Any]
    ) -> "Layer":
        return cls(subject, **sizes, mode=mode, **fields)

    @property
    def workload(self) -> Workload:
        return "layer"

    @property
    def gated(self) -> "Layer":
        return self

    def own(self) -> dict[str, object]:
        return {"rate": self.rate, "bias": self.bias, "autocast": self.autocast}


@dataclass(frozen=True)
class NetworkStep(Case, workloads=("projection", "network", "events")):
    """One step of a named network, `shd` or `shd[width=64]`. Its N is the width of the network.

    Its neurons fire at `rate` before it learns. The networks `projection`, also `projection[layers=4]`, and `events`, whose
    input are spike times at that rate, are workloads of their own names. A network of images is as wide as it has channels,
    and its layers have a neuron for each pixel of each.
    """

    OWN: ClassVar[tuple[str, ...]] = ("rate", "network", "allocator", "autocast")

    network: str = "projection"
    rate: float = RATE
    autocast: str | None = None
    named: Network = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_plain(network=self.network)
        assign(self, "named", parse_network(self.network))
        assign(self, "network", str(self.named))
        assign(self, "N", self.named.sizes.get("width", self.N))
        super().__post_init__()
        check_rate(self.rate)
        check_autocast(self, self.autocast)
        if self.mode == "stream":
            raise Problem("a network does not stream; take mode inference, forward or train")
        if scheme := self.parsed.scheme:
            if self.mode != "train" or self.autocast:
                raise Problem(f"{scheme} is a way of training; take mode train, without autocast")
            if "classes" not in self.named.sizes:
                raise Problem(f"{scheme} needs a network with classes, and {self.named.name} has none; take shd")

    @classmethod
    def of(
        cls, workload: Workload, subject: str, sizes: dict[str, int], mode: Mode, fields: Mapping[str, Any]
    ) -> "NetworkStep":
        if workload == "network" and "network" not in fields:
            raise Problem(f"which network? there are {', '.join(registry.names('networks'))}")
        own: dict[str, Any] = {"network": workload, **fields} if workload in ALONE else dict(fields)
        made = cls(subject, **sizes, mode=mode, **own)
        if made.workload != workload:
            right = "one of its own" if made.named.name in ALONE else "one of workload network"
            raise Problem(f"{made.named.name} is not a workload {workload}; {made.named.name} is {right}")
        return made

    @property
    def workload(self) -> Workload:
        return cast(Workload, self.named.name) if self.named.name in ALONE else "network"

    @property
    def gated(self) -> Layer:
        same = (
            str(self.parsed.untrained),
            self.T,
            self.B,
            self.N * self.named.places,
            self.mode,
            self.dtype,
            self.device,
            self.seed,
            self.allocator,
        )
        return Layer(*same, rate=self.rate, autocast=self.autocast)

    @property
    def products(self) -> int:
        """How many products a weight's gradient sums at most: one for each step, batch item and pixel."""
        return self.T * self.B * self.named.places

    def own(self) -> dict[str, object]:
        return {"rate": self.rate, "network": self.network, "autocast": self.autocast}


@dataclass(frozen=True)
class Training(Case, workloads=("training",)):
    """A training on a task, `name[options]`. `recipe` holds what differs from the task's own recipe, as `[epochs=5,batch=64]`.

    T, B and N are 0, because the data give the sizes.
    """

    OWN: ClassVar[tuple[str, ...]] = ("network", "task")

    least: ClassVar[int] = 0

    T: int = field(default=0, init=False)
    B: int = field(default=0, init=False)
    N: int = field(default=0, init=False)
    mode: Mode = field(default="train", init=False)
    allocator: Allocator = field(default="kept", init=False)
    task: str = ""
    recipe: str | None = None
    asked: Task = field(init=False, repr=False, compare=False)
    changes: Options = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_plain(task=self.task, recipe=self.recipe or "")
        assign(self, "asked", parse_task(self.task))
        assign(self, "task", str(self.asked))
        assign(self, "changes", parse_options(self.recipe))

    @classmethod
    def of(
        cls, workload: Workload, subject: str, sizes: dict[str, int], mode: Mode, fields: Mapping[str, Any]
    ) -> "Training":
        if any(sizes.values()) or mode != "train":
            raise Problem("a training trains, and its data give its sizes; leave T, B, N and the mode out")
        own = {k: v for k, v in fields.items() if k != "network"}
        return cls(subject, recipe=fields.get("network"), **own)

    @property
    def workload(self) -> Workload:
        return "training"

    @property
    def gated(self) -> Layer:
        return Layer(str(self.parsed.untrained), T=64, B=8, N=128, dtype=self.dtype, device=self.device)

    def own(self) -> dict[str, object]:
        return {"network": self.recipe, "task": self.task}


def present_id(recorded: Mapping[str, object], id_: str) -> str:
    """The id that a new run of a recorded case would get. It is the recorded id, unless the subject has another name now."""
    same = present(str(recorded.get("subject"))) == recorded.get("subject")
    return id_ if same else replace(Case.from_json(recorded)).case_id


@asked
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
    return [made(s, t, b, n, m, **fixed) for m, t, b, n, s in points]  # pyright: ignore[reportArgumentType]  # checked at run time


Kind = TypeVar("Kind", bound=Case)


def expect(case: Case, kind: type[Kind]) -> Kind:
    """The case, which is of that kind; ValueError if it is not."""
    if not isinstance(case, kind):
        raise ValueError(f"a {case.workload} is no {kind.__name__}")
    return case


def with_changes(case: Kind, **changes: Any) -> Kind:
    """A copy of a case with other fields, of the same kind."""
    return replace(case, **changes)
