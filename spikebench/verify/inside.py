"""What happens inside a network in one launch: what each layer of the subject gets and gives, forward and backward.

Hooks copy it. Some series of it, which nobody can foresee, are compared with the neuron's definition, by the same rules as
the timed launches of a layer: see `verify/judged.py`. So a subject that is right as a layer alone and wrong in a network
is caught.
"""

import copy
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from spikebench.backend import Bound
from spikebench.cases.case import Case
from spikebench.loading.subject import definition
from spikebench.neuron import Neuron, StochasticNeuron
from spikebench.verify import evidence
from spikebench.verify.evidence import Evidence, Inside, Kept, taken
from spikebench.verify.form import misformed
from spikebench.verify.judged import Comparison, Judged
from spikebench.workloads.layer import spikes_of

Random = tuple[Tensor, Tensor | None]  # the states of torch's generators: the CPU's and the GPU's


@dataclass(eq=False)
class Seen:
    """A layer in one launch: copies of its input and its spikes, and of the gradients of the two once they were there.

    `call` is the number of its forward call, which names its noise. `random` are torch's generators after the call.
    """

    place: str
    module: Bound
    call: int
    x: Tensor
    random: Random
    spikes: Tensor | None = None
    g: Tensor | None = None
    gradient: Tensor | None = None
    wrong: str | None = None

    @property
    def neuron(self) -> Neuron:
        """The definition."""
        return self.module.neuron


def layers_of(network: nn.Module) -> list[Bound]:
    """The layers of a network that a backend computes."""
    return [m for m in network.modules() if isinstance(m, Bound)]


def kinds(network: nn.Module) -> list[list[int]]:
    """The numbers of the layers of each kind: of one definition and width."""
    found: dict[object, list[int]] = {}
    for number, layer in enumerate(layers_of(network)):
        sizes = [tuple(p.shape) for p in layer.neuron.parameters()]
        found.setdefault((type(layer.neuron), *sizes), []).append(number)
    return list(found.values())


def one_of_each(network: nn.Module) -> set[int]:
    """A layer of every kind, drawn by the system."""
    return {numbers[_drawn(len(numbers))] for numbers in kinds(network)}


@contextmanager
def watching(network: nn.Module, which: Collection[int] | None = None, cast: str | None = None) -> Iterator[list[Seen]]:
    """While this lasts, what the layers (those with these numbers) get and give is copied; of several calls the last counts.

    All layers have hooks, so that none can know whether it is meant. `cast` is what torch.autocast casts to, if it is on.
    """
    layers = layers_of(network)
    seen: dict[int, Seen] = {}
    handles: list[Any] = []
    for number, layer in enumerate(layers):
        if which is None or number in which:
            handles += _hooked(layer, number, f"layer {number + 1} of {len(layers)}", seen, cast)
        else:
            handles += [layer.register_forward_pre_hook(_nothing), layer.register_forward_hook(_nothing)]
    found: list[Seen] = []
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
    found += [seen[number] for number in sorted(seen)]


def _hooked(layer: Bound, number: int, place: str, seen: dict[int, Seen], cast: str | None) -> list[Any]:
    """Hooks that copy what one layer gets before it can change it, and what it gives."""

    def before(_: nn.Module, args: tuple[Tensor, ...]) -> None:
        x, calls = args[0], getattr(layer.neuron, "calls", 0)
        made = Seen(place, layer, calls, x.detach().clone(), random_state(x.device))
        if x.requires_grad:
            x.register_hook(lambda g: setattr(made, "gradient", g.detach().clone()))
        seen[number] = made

    def after(_: nn.Module, args: tuple[Tensor, ...], out: Tensor | tuple[Tensor, ...]) -> None:
        made, spikes = seen[number], spikes_of(out)
        made.wrong = misformed(spikes, args[0], cast=cast, sent=layer.how.get("spikes"))
        made.random = random_state(made.x.device)
        if made.wrong is None:
            made.spikes = spikes.detach().clone()
            if spikes.requires_grad:
                spikes.register_hook(lambda g: setattr(made, "g", g.detach().clone()))

    return [layer.register_forward_pre_hook(before), layer.register_forward_hook(after)]


def _nothing(*_: object) -> None:
    """A hook that copies nothing."""


def random_state(device: torch.device) -> Random:
    """The states of torch's generators."""
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def set_random_state(state: Random, device: torch.device) -> None:
    """Put torch's generators back."""
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)


def faults(seen: Sequence[Seen], learns: bool) -> str | None:
    """What is wrong with layers at first sight: no plain spikes, or no gradient where the network learns."""
    for s in seen:
        if s.wrong:
            return f"{s.place} {s.wrong}"
        if learns and s.g is None:
            return f"{s.place}: its spikes carry no gradient"
        if learns and s.gradient is None:
            return f"{s.place}: its input gets no gradient"
        if learns and s.gradient is not None and (wrong := misformed(s.gradient)):
            return f"{s.place}: its backward pass {wrong}"
    return None


def repeatable(neuron: Neuron) -> bool:
    """Whether its definition gives the same on some of the series: not if it drops some of them at random."""
    return not (neuron.training and getattr(neuron, "dropout", 0.0))


def some(seen: Seen, count: int, state: dict[str, Tensor] | None = None) -> Inside:
    """About so many series of a layer, drawn by the system now; of a coupled neuron whole items. `state`: its parameters."""
    assert seen.spikes is not None
    neuron, (_, batch, width) = seen.neuron, seen.x.shape
    if neuron.coupled:
        index = torch.cat([torch.arange(width) + width * _drawn(batch) for _ in range(max(1, count // width))])
    else:
        index = torch.tensor([_drawn(batch * width) for _ in range(min(count, batch * width))])
    index = index.to(seen.x.device)
    kept = Kept.of((seen.spikes, (seen.gradient,)), index, seen.call, "", "", False)
    kept.x, kept.g = taken(seen.x, index), None if seen.g is None else taken(seen.g, index)
    kept.place = seen.place
    named = {k: v.detach().cpu().clone() for k, v in neuron.state_dict().items()} if state is None else state
    seed, site = (neuron.seed, neuron.site) if isinstance(neuron, StochasticNeuron) else (0, 0)
    return Inside(seen.place, (len(seen.x), batch, width), named, seed, site, kept)


def compared(case: Case, layers: Sequence[Inside]) -> Judged:
    """Compare series of layers with the definition; those with equal parameters in one run of it."""
    groups: list[list[Inside]] = []
    for layer in layers:
        if (group := next((g for g in groups if _alike(g[0], layer)), None)) is not None:
            group.append(layer)
        else:
            groups.append([layer])
    found = [_group(case, group) for group in groups]
    errors = [f.gradient_error for f in found if f.gradient_error is not None]
    wrong = next((f.wrong for f in found if f.wrong), None)
    counted = sum(f.series for f in found), sum(f.differing for f in found)
    return Judged(wrong, len(layers), *counted, max(errors, default=None))


def _alike(one: Inside, other: Inside) -> bool:
    names = (one.shape, one.seed, one.site, one.state.keys()) == (
        other.shape,
        other.seed,
        other.site,
        other.state.keys(),
    )
    return names and all(torch.equal(v, other.state[k]) for k, v in one.state.items())


def _group(case: Case, layers: Sequence[Inside]) -> Judged:
    first, (steps, batch, width) = layers[0], layers[0].shape
    torch.manual_seed(case.seed)
    neuron = definition(case.parsed, width, steps).rounded(getattr(torch, case.dtype))
    neuron.load_state_dict(first.state)
    if isinstance(neuron, StochasticNeuron):
        neuron.seed, neuron.site = first.seed, first.site
    kept = [copy.copy(layer.kept) for layer in layers]
    return Comparison(case, neuron, Evidence(steps, batch, width, compared=True, kept=kept)).made()


def _drawn(count: int) -> int:
    """A number below `count`, drawn by the system."""
    return evidence.number(evidence.drawn_here(), "", count)
