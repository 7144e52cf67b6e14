"""What is kept of the timed launches: some series of what they took and gave, copied as soon as the clock had stopped."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

import torch
from torch import Tensor

from spikebench.cases.case import Case
from spikebench.workloads.layer import Given, current, noise
from spikebench.workloads.renewal import Renewal

Draw = Callable[..., str]  # asks for a seed; see `spikebench.run.protocol.Drawn` for what is told with it
SERIES, VALUES = 640, 2**20  # that are kept of all samples of a metric: at most so many series, and values of each kind
WHOLE = 2**20  # values of an output, of which one launch is kept as a whole
FEW = 3  # series that are kept of a launch whose time is no sample


def drawn_here(**_: object) -> str:
    """A seed for where there is no parent to draw one."""
    return os.urandom(16).hex()


def number(seed: str, what: str, below: int) -> int:
    """The number below `below` that a seed names for one purpose."""
    drawn = blake2b(bytes.fromhex(seed) + what.encode(), digest_size=8).digest()
    return int.from_bytes(drawn, "little") % below


def call_number(seed: str) -> int:
    """The number of the first forward call on an input that a seed names."""
    return 2**8 + number(seed, "call", 2**28)


def chosen(seed: str, count: int) -> list[int]:
    """The order in which a seed chooses among so many launches."""
    return sorted(range(count), key=lambda place: number(seed, str(place), 2**53))


def compared_of(seed: str, group: int) -> list[int]:
    """Which launches of a group are compared: one of all, and the last, which shows whether its work was over in time."""
    return sorted({number(seed, "place", group), group - 1})


@dataclass(frozen=True)
class Choice:
    """Which series of a launch are compared, of how many: as a seed says that is drawn when the launch is over.

    Of a coupled neuron it is one item of the batch, and not of every launch.
    """

    steps: int
    batch: int
    width: int
    coupled: bool
    samples: int

    @property
    def may_be_whole(self) -> bool:
        """Whether an output is small enough to be kept as a whole."""
        count = self.batch * self.width
        return self.steps * count <= WHOLE and (not self.coupled or count <= SERIES)

    def skips(self, seed: str) -> bool:
        """Whether nothing of this launch is compared."""
        often = SERIES / (max(1, self.samples) * self.width) if self.coupled else 1.0
        return number(seed, "often", 2**16) >= often * 2**16

    def index(self, seed: str, sampled: bool = True, launches: int = 1) -> Tensor:
        """Places in B·N, where so many launches of a sample share the series; only FEW of a launch that gave no sample."""
        count = self.batch * self.width
        if self.coupled:
            return torch.arange(self.width) + self.width * number(seed, "item", self.batch)
        most = max(2, min(SERIES, VALUES // self.steps) // max(1, self.samples * launches)) if sampled else FEW
        return torch.tensor(sorted({number(seed, f"series {i}", count) for i in range(min(most, count))}))


@dataclass(eq=False)
class Kept:
    """Some series of one launch. `index` [k] are their places in B·N; x, spikes, g and the input's gradient are [T, k].

    `call` is the number of the forward call, which names its noise, and the seeds name input and output gradient. Of a
    launch that is kept `whole` there are the gradients of the parameters, too. Of one that is too large for that there are
    those, and as `less` those of one more launch, which had another output gradient in these series, and the same in all
    others: what the two differ by are the gradients that these series give.
    """

    index: Tensor
    call: int
    seed: str
    gradient_seed: str
    whole: bool
    spikes: Tensor
    gradient: Tensor | None
    parameters: list[Tensor | None]
    x: Tensor | None = None
    g: Tensor | None = None
    less: list[Tensor | None] = field(default_factory=list)
    less_seed: str = ""
    less_g: Tensor | None = None
    place: str = ""  # of the layer in its network

    @staticmethod
    def of(
        given: Given, index: Tensor, call: int, seed: str, gradient_seed: str, whole: bool, learned: bool = False
    ) -> "Kept":
        """A copy of the series at `index` of what a launch gave; with what it `learned`, also where it is not whole."""
        spikes, gradients = given
        first = taken(spikes, index)
        gradient = None if not gradients or gradients[0] is None else taken(gradients[0], index)
        others = [None if v is None else v.detach().clone() for v in gradients[1:]] if whole or learned else []
        return Kept(index, call, seed, gradient_seed, whole, first, gradient, others)

    @property
    def digest(self) -> str:
        """Of everything that was copied, told to the parent before the subject can run again."""
        found = blake2b(repr((self.call, self.seed, self.gradient_seed, self.whole)).encode(), digest_size=16)
        for tensor in (self.index, self.spikes, self.gradient, *self.parameters):
            found.update(b"-" if tensor is None else tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return found.hexdigest()

    def still(self, spikes: Tensor, gradients: tuple[Tensor | None, ...]) -> bool:
        """Whether what the launch gave is what it was."""
        same = _same(self.spikes, taken(spikes, self.index))
        if self.gradient is None or gradients[0] is None:
            return same
        return same and _same(self.gradient, taken(gradients[0], self.index))

    def complete(self, shape: Sequence[int], x: Renewal, g: Renewal) -> None:
        """Add the input, and the output gradient, as the seeds name them."""
        places = torch.arange(shape[0], device=self.index.device)[:, None] * (shape[1] * shape[2]) + self.index
        self.x = x.at(places, bytes.fromhex(self.seed))
        self.g = g.at(places, bytes.fromhex(self.gradient_seed)) if self.gradient_seed else None
        self.less_g = g.at(places, bytes.fromhex(self.less_seed)) if self.less_seed else None


@dataclass(eq=False)
class Inside:
    """Some series of one layer of a network in one launch, with the parameters of its neuron, and the names of its noise."""

    place: str
    shape: tuple[int, int, int]
    state: dict[str, Tensor]
    seed: int
    site: int
    kept: Kept


@dataclass(eq=False)
class Again:
    """Some numbers of what a timed launch of a network gave, and of what it gave when it was done again.

    `launch` is its place among the launches of which numbers were kept. The first of them are of the output, the others of
    the gradients, each with its name. `spread` are the largest differences between launches that are done again, where
    these were not equal to the timed one. `errors` are those of the same launch without the subject: see chain.py.
    `length` is that of the longest sum.
    """

    launch: int
    names: list[str]
    timed: list[Tensor]
    again: list[Tensor]
    spread: list[float] = field(default_factory=list)
    errors: list[tuple[str, float]] = field(default_factory=list)
    length: int = 1

    @property
    def digest(self) -> str:
        """Of what was kept of the timed launch, told to the parent before the subject could run again."""
        found = blake2b(digest_size=16)
        for tensor in self.timed:
            found.update(tensor.cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        return found.hexdigest()


@dataclass(frozen=True)
class Event:
    """When the clock read the time before and after a sample of some launches, in nanoseconds."""

    metric: str
    group: int
    start: int
    end: int

    @property
    def seconds(self) -> float:
        """The sample."""
        return (self.end - self.start) * 1e-9 / self.group


@dataclass
class Evidence:
    """What was kept of a case's timed launches, and what was wrong with them at first sight.

    `compared` says whether there is a definition to compare with; `seeds` are those of all samples' inputs, `events` those
    of their clock. Of a network `kept` is empty, and there are the `layers` of launches that were done `again` in its place.
    """

    steps: int
    batch: int
    width: int
    compared: bool
    kept: list[Kept] = field(default_factory=list)
    seeds: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    wrong: str | None = None
    layers: list[Inside] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)

    def save(self, path: str) -> None:
        """Write it where another process reads it."""
        lists = {name: [vars(v) for v in getattr(self, name)] for name in ("kept", "events", "again")}
        layers = [{**vars(layer), "kept": vars(layer.kept)} for layer in self.layers]
        torch.save({**vars(self), **lists, "layers": layers}, path)

    @staticmethod
    def load(path: str) -> "Evidence":
        """What was written; nothing but tensors, numbers and texts is read."""
        plain = torch.load(path, map_location="cpu", weights_only=True)
        kept, events = [Kept(**k) for k in plain.pop("kept")], [Event(**e) for e in plain.pop("events")]
        layers = [Inside(**{**found, "kept": Kept(**found["kept"])}) for found in plain.pop("layers")]
        again = [Again(**a) for a in plain.pop("again")]
        return Evidence(**plain, kept=kept, events=events, layers=layers, again=again)

    def renewed(self, case: Case, bias: float) -> None:
        """Take the inputs that the seeds name in place of those that were handed over. On a GPU they cannot be made again."""
        x, g = Renewal(current(case, bias), bias, 0.5), Renewal(noise(case, case.T, stream=1), 0.0, 1.0)
        for kept in self.kept:
            kept.complete((self.steps, self.batch, self.width), x, g)

    def say(self, wrong: str) -> None:
        """Note what is wrong, the first of it."""
        self.wrong = self.wrong or wrong


def taken(tensor: Tensor, index: Tensor) -> Tensor:
    """A copy of some series of [T, B, N] as [T, k]."""
    return tensor.detach().reshape(len(tensor), -1).index_select(1, index)


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.nan_to_num(0.5), other.nan_to_num(0.5))
