"""What schemes share that learn from spike times: the neuron in continuous time, the loss of first spikes, the stack.

A time is counted in steps. The neuron is that of which `lif` is the form on a grid: with decay λ and synapse_decay λ_s, which are
e^{−1/τ} and e^{−1/τ_s}, its membrane at time t + 1 is that of `lif` at step t, if all spikes come at whole times:

    u(t) = g Σ_j w_j Σ_{t_j < t} (e^{−(t − t_j)/τ} − e^{−(t − t_j)/τ_s}) − θ Σ_{t^k < t} e^{−(t − t^k)/τ}       g = 1/(λ − λ_s)

The readout fires, too. Its neuron that fires first names the class: with t_c the first spike of class c, or the end of the
sample where there is none, the loss is L = −Σ_b log softmax(−t/(ξτ))_{y_b} / B.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikebench.backend import Bound, Refused
from spikebench.loading.subject import definition_of
from spikebench.network import Classifier
from spikebench.neurons.lif import LIF
from spikebench.numerics.events import Constants
from spikebench.scheme import Apply, Gradients, in_lists, learned, plain


class Pass(Protocol):
    """One layer on the lists of a batch [B, C, S]: the times [B, N, K] of its spikes, in order, and how fast the membrane rises there.

    What is no spike is infinite.
    """

    times: Tensor
    rises: Tensor

    def back(self, errors: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the weight [N, C], and the errors ∂L/∂t of the spikes before, by those of its own [B, N, K]."""
        ...


# how a layer is computed: by its weight, its neuron, how many spikes a neuron fires at most, the lists before it, the ends [B]
# of the samples, and the slowest rise that a gradient is taken of, in units of θ/τ
Fire = Callable[[Tensor, Constants, int, Tensor, Tensor, float], Pass]


@dataclass(frozen=True)
class Layer:
    """A layer in continuous time: its weight [N, C], its neuron, and how many spikes a neuron fires at most."""

    weight: nn.Parameter
    neuron: Constants
    most: int


def constants(neuron: nn.Module, name: str) -> Constants:
    """The constants of a neuron. Raises Refused where `lif` is no neuron of this kind."""
    if not isinstance(neuron, LIF) or neuron.synapse_decay is None or not isinstance(neuron.decay, float):
        raise Refused(f"{name} takes a lif with constant decays and a synapse: lif[decay=0.95,synapse_decay=0.9025]")
    wanted = {"reset": "soft", "input_scale": "one", "reset_delay": False, "refractory": 0, "shared": True}
    for option, value in wanted.items():
        if getattr(neuron, option) != value:
            raise Refused(f"{name} is derived for {option}={str(value).lower()}, not {getattr(neuron, option)}")
    if not isinstance(neuron.threshold, float):
        raise Refused(f"{name} takes a constant threshold")
    if not 0 < neuron.synapse_decay < neuron.decay < 1:
        raise Refused(f"{name} needs 0 < synapse_decay < decay < 1")
    tau, tau_s = -1 / math.log(neuron.decay), -1 / math.log(neuron.synapse_decay)
    return Constants(tau, tau_s, neuron.threshold, 1 / (neuron.decay - neuron.synapse_decay))


def layers(stack: nn.Module, name: str, most: int) -> list[Layer]:
    """The layers of a stack, the last of which is the readout, with the neuron of the layer before it."""
    stack = plain(stack, name)
    neurons = [constants(definition_of(bound) or bound, name) for bound in stack.neurons]
    weights = [cast(nn.Parameter, layer.weight) for layer in (*stack.linears, stack.readout)]
    most_of = [*[most] * len(neurons), 1]  # the loss asks for the first spikes alone
    return [Layer(*each) for each in zip(weights, [*neurons, neurons[-1]], most_of, strict=True)]


def fused(stack: Classifier) -> bool:
    """Whether the kernels compute: the stack's neurons are on that backend."""
    return all(isinstance(bound, Bound) and bound.backend == "cpu" for bound in stack.neurons)


def ends(mask: Tensor | None, x: Tensor) -> Tensor:
    """When each sample ends: [B]. Without a mask that is the first whole time after the last spike of all."""
    if mask is not None:
        return mask.sum(0).double()
    last = torch.where(x.isfinite(), x, 0).max() if x.numel() else x.new_zeros(())
    return x.new_full((len(x),), float(last.floor()) + 1).double()


def first(times: Tensor, end: Tensor) -> Tensor:
    """The first spike of every neuron, or the end of the sample: [B, N]."""
    return torch.minimum(times[..., 0], end[:, None])


def loss_of(firsts: Tensor, labels: Tensor, scale: float) -> Tensor:
    """The loss of the first spikes [B, classes]; `scale` is ξτ."""
    return functional.cross_entropy(-firsts / scale, labels)


def learn(
    layers: Sequence[Layer], x: Tensor, end: Tensor, labels: Tensor, scale: float, grazing: float, fire: Fire
) -> tuple[Tensor, dict[nn.Parameter, Tensor]]:
    """The loss, and the gradient of every weight, from the last layer to the first."""
    passes, times = list[Pass](), x.double()
    for layer in layers:
        passes.append(fire(layer.weight, layer.neuron, layer.most, times, end, grazing))
        times = passes[-1].times
    with torch.enable_grad():
        held = times.detach().requires_grad_()
        loss = loss_of(first(held, end), labels, scale)
    (errors,) = torch.autograd.grad(loss, held)
    found = dict[nn.Parameter, Tensor]()
    for layer, each in zip(reversed(layers), reversed(passes), strict=True):
        found[layer.weight], errors = each.back(errors)
    return loss.detach().to(x.dtype), found


@dataclass(frozen=True)
class Followed:
    """What a forward pass gave: the loss, how many spikes each neuron of each layer fired, and all rises in units of θ/τ."""

    loss: float
    counts: Tensor
    rises: Tensor


def follow(layers: Sequence[Layer], x: Tensor, end: Tensor, labels: Tensor, scale: float, fire: Fire) -> Followed:
    """The loss of a batch without any gradient."""
    counts, rises, times = list[Tensor](), list[Tensor](), x.double()
    for layer in layers:
        made = fire(layer.weight, layer.neuron, layer.most, times, end, 0.0)
        times, there = made.times, made.times.isfinite()
        counts.append(there.sum(-1).flatten())
        rises.append(made.rises[there] * (layer.neuron.tau / layer.neuron.threshold))
    return Followed(float(loss_of(first(times, end), labels, scale)), torch.cat(counts), torch.cat(rises))


def silenced(layers: Sequence[Layer], x: Tensor, end: Tensor, fire: Fire) -> int:
    """How many hidden neurons, over all samples, would have fired more often than `most`; the loss asks the readout for one spike."""
    found, times = 0, x.double()
    for layer in layers[:-1]:
        times = fire(layer.weight, layer.neuron, layer.most + 1, times, end, 0.0).times
        found += int((times.isfinite().sum(-1) > layer.most).sum())
        times = times[..., : layer.most]
    return found


def completed(stack: Classifier, found: dict[nn.Parameter, Tensor], apply: Apply | None) -> Gradients:
    """The gradients of everything that learns, in the stack's order and type; biases have none."""
    made = {p: found[p].to(p.dtype) if p in found else torch.zeros_like(p) for p in learned(stack)}
    if apply is not None:
        apply(made)
    return made


class Tested(nn.Module):
    """The network in continuous time, as it is tested: of counted spikes [T, B, C], the class that fires first has the largest output."""

    def __init__(self, stack: Classifier, layers: list[Layer], fire: Fire) -> None:
        super().__init__()
        self.neurons, self._layers, self._fire = stack.neurons, layers, fire
        self.spike_rates: list[float] = []

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        times, whole = in_lists(x, mask)
        end, rates, times = ends(whole, times), list[float](), times.double()
        for layer in self._layers:
            times = self._fire(layer.weight, layer.neuron, layer.most, times, end, 0.0).times
            rates.append(float(times.isfinite().sum()) / (times.shape[1] * float(end.sum())))
        self.spike_rates = rates[:-1]
        return -first(times, end).to(x.dtype)
