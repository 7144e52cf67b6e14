"""Sees to it that what is timed of a training is computed.

Of every epoch one step that the system draws is kept: the weights before it, and some numbers of the gradients that it
gave. The clock stands still meanwhile. When the epoch is over, the step may be done again from the same weights, with hooks
on its layers: always that of the first and of the last epoch, the others by chance. The gradients must be the same, and
what the layers gave must be what the definition says. So a subject that computes no more once it has been compared, in
another epoch or on other sizes, is caught.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from spikebench import scheme as schemes
from spikebench.cases.case import Case
from spikebench.sampling import allocated
from spikebench.sampling.timed_network import MOST, parts_of, places_of, taken
from spikebench.task import Batch, Samples
from spikebench.verify import inside, judged_network
from spikebench.verify.chain import Error, chain
from spikebench.verify.evidence import SERIES, VALUES, Again, Evidence, drawn_here, number
from spikebench.verify.reference import relative_error
from spikebench.workloads.layer import Given
from spikebench.workloads.training import Step, stochastic

CHECKS = 4  # among which the series are shared


@dataclass
class Before:
    """Where a network stood before a step, and torch's generators; `calls` name its noise."""

    state: dict[str, Tensor]
    calls: list[int]
    random: inside.Random
    optimizer: dict[str, Any] | None  # where weights change within a step

    @staticmethod
    def of(step: Step) -> "Before":
        """A copy of where it stands now."""
        state = {name: value.detach().clone() for name, value in step.network.state_dict().items()}
        calls = [neuron.calls for neuron in stochastic(step.network)]
        optimizer = copy.deepcopy(step.optimizer.state_dict()) if step.updates_online else None
        return Before(state, calls, inside.random_state(torch.device(step.device)), optimizer)

    def restore(self, step: Step) -> None:
        """Put it back there."""
        step.network.load_state_dict(self.state)
        for neuron, calls in zip(stochastic(step.network), self.calls, strict=True):
            neuron.calls = calls
        inside.set_random_state(self.random, torch.device(step.device))
        if self.optimizer is not None:
            step.optimizer.load_state_dict(self.optimizer)


@dataclass
class Kept:
    """A timed step: where it began, its samples, and numbers of its loss and gradients at these places."""

    before: Before
    index: Tensor
    places: list[Tensor]
    numbers: list[Tensor]


class TimedTraining:
    """The watch over a training. `evidence` has what was compared, and is what the judge gets."""

    def __init__(self, case: Case) -> None:
        self.case, self.evidence = case, Evidence(0, 0, 0, compared=not case.parsed.foreign)
        self.memory: int | None = None  # bytes of tensors of a step by a scheme, beyond parameters and input
        self.silenced = False  # whether the scheme cut off spikes of the first batch
        self._before: tuple[Before, Tensor] | None = None
        self._kept: Kept | None = None

    def choose(self, batches: int) -> int:
        """A step that the system draws."""
        return number(drawn_here(), "step", batches)

    def before(self, step: Step, index: Tensor) -> None:
        """Copy where the network stands."""
        self._before = Before.of(step), index

    def after(self, step: Step, loss: Tensor) -> None:
        """Copy numbers that the system draws now out of what the step gave."""
        assert self._before is not None
        parts, seed = parts_of(_given(step, loss)), drawn_here()
        places = places_of(parts, number(seed, "numbers", 2**53))
        self._kept = Kept(*self._before, places, taken(parts, places))
        self.evidence.seeds.append(seed)

    def over(self, step: Step, samples: Samples, epoch: int, last: bool) -> None:
        """Do the step again after the first and the last epoch, and after others with a chance that falls with their number."""
        kept, self._kept = self._kept, None
        if last and step.subject is not None:
            self.memory, self.silenced = _memory(step, samples), _silenced(step, samples)
        if kept is None or self.evidence.wrong or not (last or number(drawn_here(), "epoch", epoch) == 0):
            return
        now = Before.of(step)
        try:
            self._do_again(step, samples, kept)
        finally:
            now.restore(step)
            step.optimizer.zero_grad()
        if epoch == 1 and (wrong := judged_network.judged(self.case, self.evidence).wrong):
            self.evidence.say(wrong)

    def _do_again(self, step: Step, samples: Samples, kept: Kept) -> None:
        def launched() -> Given:
            kept.before.restore(step)
            return _given(step, step.again(samples, kept.index))

        network, which = step.network, inside.one_of_each(step.network)
        with inside.watching(network) as seen:
            given = launched()
        if wrong := inside.faults(seen, learns=True):
            self.evidence.say(f"a step of the training that was done again: {wrong}")
            return
        numbers, names = taken(parts_of(given), kept.places), _names(step)
        with inside.watching(network, ()):
            spread = _spread(launched, kept, numbers)
        small = sum(4 * s.x.numel() * s.x.element_size() for s in seen) <= MOST
        errors = chain(network, given, seen, launched) if seen and small else []
        length = int(seen[0].x[..., 0].numel()) if seen else 1
        if step.subject is not None and schemes.owns_time(step.subject) and not step.updates_online:
            kept.before.restore(step)
            errors, length = _from_definition(step, samples, kept.index, given)
        self.evidence.again.append(
            Again(len(self.evidence.again), names, kept.numbers, numbers, spread, errors, length)
        )
        steps = len(seen[0].x) if seen else 1
        each = max(2, min(SERIES, VALUES // steps) // (CHECKS * max(1, len(which))))
        chosen = [s for place, s in enumerate(seen) if place in which and inside.repeatable(s.neuron)]
        states = {
            id(layer.neuron): name for name, layer in network.named_modules() if layer in inside.layers_of(network)
        }
        for s in chosen:
            prefix = f"{states[id(s.neuron)]}.neuron."
            own = {k.removeprefix(prefix): v.cpu() for k, v in kept.before.state.items() if k.startswith(prefix)}
            self.evidence.layers.append(inside.some(s, each, own))


@dataclass(frozen=True)
class _Made:
    """Samples of which there is one batch, made once."""

    labels: Tensor
    made: Batch

    def batch(self, index: Tensor) -> Batch:
        return self.made


def _first(step: Step, samples: Samples) -> Tensor:
    """The places of the first batch in the order of the data."""
    return torch.arange(min(step.batch, len(samples.labels)))


def _silenced(step: Step, samples: Samples) -> bool:
    """Whether the scheme cuts off spikes of a neuron in the first batch, because it computes only so many of each."""
    assert step.subject is not None
    batch = samples.batch(_first(step, samples)).to(step.device)
    return schemes.silenced(step.subject, step.network, batch.x, batch.mask) > 0


def _memory(step: Step, samples: Samples) -> int:
    """Bytes of tensors that a step on the first batch holds at most; the network is as before."""
    now, index = Before.of(step), _first(step, samples)
    one = _Made(samples.labels, samples.batch(index).to(step.device))
    try:
        return allocated.peak(lambda: step.again(one, index), torch.device(step.device).type)
    finally:
        now.restore(step)
        step.optimizer.zero_grad()


def _from_definition(step: Step, samples: Samples, index: Tensor, given: Given) -> tuple[list[Error], int]:
    """How far a step by a scheme is from the scheme's definition, on the same weights and draws, and how many steps its sums have."""
    assert step.subject is not None
    x, y, mask = samples.batch(index).to(step.device)
    loss, found = schemes.definition(step.subject, schemes.plain(step.network, "a scheme"), x, y, mask)
    want = [loss.reshape(1), *(found[p] for p in schemes.learned(step.network))]
    mine = [given[0], *(g for g in given[1][1:])]
    pairs = [(n, a, b) for n, a, b in zip(_names(step), mine, want, strict=True) if a is not None]
    return [(n, float(relative_error(a.double(), b.double()))) for n, a, b in pairs], x[..., 0].numel()


def _given(step: Step, loss: Tensor) -> Given:
    """What a step gave, as a launch of a network gives it: the loss, and the gradients of the parameters."""
    return loss.reshape(1), (None, *(p.grad for p in step.network.parameters() if p.requires_grad))


def _names(step: Step) -> list[str]:
    learned = [name for name, p in step.network.named_parameters() if p.requires_grad]
    return ["the loss", *(f"the gradient of {name}" for name in learned)]


def _spread(launched: Callable[[], Given], kept: Kept, numbers: list[Tensor]) -> list[float]:
    """How far steps that are done again differ from each other, where they differ from the timed one at all."""
    if all(map(torch.equal, kept.numbers, numbers)):
        return [0.0] * len(numbers)
    other = taken(parts_of(launched()), kept.places)
    return [float((a - b).abs().max()) for a, b in zip(numbers, other, strict=True)]
