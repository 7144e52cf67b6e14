"""Conversion: a ReLU network is trained, and integrate-and-fire neurons, whose rates are its activations, take its weights over.

    a^0 = mean over time of x        a^l = relu(W a^{l-1} + b)  or, with bound=clip, clip(W a^{l-1} + b, 0, λ^l)        o = W a^L + b
    δ^l = (W^{l+1}ᵀ δ^{l+1}) ⊙ [0 < a^l] ([0 < a^l < λ^l])        ∂W^l = δ^l (a^{l-1})ᵀ        ∂λ^l = Σ (W^{l+1}ᵀ δ^{l+1}) ⊙ [a^l = λ^l]

When the training is over, λ^l is the largest activation of a layer on the training data (maximum), that below which a share of them lies
(percentile), or what was trained (clip). The spiking network has the weights W^l·λ^{l-1}·θ^l/λ^l, the biases b^l·θ^l/λ^l and, at the
readout, W·λ^L. With the input a^0 at every step, n^l/T then tends to a^l/λ^l, where that is at most 1. It is tested so, with as many steps
as the data have; `steps_to_ann` counts how many it takes until the accuracy stays within 1 % of the ReLU network's.
Source: Diehl et al. 2015 and Rueckauer et al. 2017; maximum and percentile were read in SpikingJelly's ann2snn. Clip: Ho and Chang 2021,
arXiv 2008.04509, its abstract; λ is a threshold that learns, lif[decay=1.0,learn_threshold=true].
Here: of an input that changes the network takes the mean over time, and no charge is put on a membrane before the first step.

Options:
    bound: what λ is: maximum, percentile, or the clip that was trained
    share: the share of the activations that lies below λ (bound=percentile)
"""

import copy
from collections.abc import Iterable, Iterator
from typing import Literal, cast

import torch
from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.network import Classifier, rate_of
from spikebench.scheme import Apply, Gradients, learned
from spikebench.schemes import _ann
from spikebench.units import Inner

SOURCE = (
    "@article{rueckauer2017conversion, author={Rueckauer, Bodo and Lungu, Iulia-Alexandra and Hu, Yuhuang and Pfeiffer, Michael and"
    " Liu, Shih-Chii}, title={Conversion of Continuous-Valued Deep Networks to Efficient Event-Driven Networks for Image"
    " Classification}, journal={Frontiers in Neuroscience}, volume={11}, year={2017}, doi={10.3389/fnins.2017.00682}}"
)
MEMORY = "1"
EXACT = False
ANN_BRANCH = True
ONLINE = False
VERIFIED = True
NEURONS = ("lif",)
BACKENDS = ("eager",)

Bound = Literal["maximum", "percentile", "clip"]
Batches = Iterable[tuple[Tensor, Tensor | None]]
MOST = 512  # steps that a converted network is given
PLAIN = (1.0, "soft", "one", None, 0)  # decay, reset, scale of the input, synapse, refractory period


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    bound: Bound = "percentile",
    share: Inner = 0.999,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch: one step of the ReLU network."""
    a = _ann.mean(x, mask)
    for linear, top in _layers(stack, bound):
        a = linear(a).relu()
        a = a if top is None else torch.minimum(a, top)
    return _ann.by_autograd(stack, stack.readout(a), labels, apply)


def definition(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    bound: Bound = "percentile",
    share: Inner = 0.999,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients with the errors of every layer written down."""
    rows, a, over, gates = _layers(stack, bound), [_ann.mean(x, mask)], list[Tensor](), list[Tensor]()
    for linear, clip in rows:
        top = None if clip is None else clip.detach()
        u = a[-1] @ linear.weight.detach().t() + linear.bias.detach()
        over.append(torch.zeros_like(u) if top is None else (u > top).to(u.dtype))
        gates.append((u > 0).to(u.dtype) * (1 - over[-1]))
        a.append(u.clamp_min(0) if top is None else u.clamp_min(0).where(u <= top, top))
    o = a[-1] @ stack.readout.weight.detach().t() + stack.readout.bias.detach()
    loss, delta = _ann.loss_and_error(o, labels)
    made = dict[Tensor, Tensor]()
    made[stack.readout.weight], made[stack.readout.bias] = delta.t() @ a[-1], delta.sum(0)
    back = delta @ stack.readout.weight.detach()
    for (linear, clip), came, gate, above in zip(
        reversed(rows), a[-2::-1], reversed(gates), reversed(over), strict=True
    ):
        here = back * gate
        if clip is not None:
            made[clip] = (back * above).sum()
        made[linear.weight], made[linear.bias] = here.t() @ came, here.sum(0)
        back = here @ linear.weight.detach()
    return loss, {p: made[p] for p in learned(stack)}


def tested(stack: Classifier, batches: Batches, *, bound: Bound = "percentile", share: Inner = 0.999) -> nn.Module:
    """The spiking network, with a copy of the weights that is scaled for it."""
    return Converted(stack, bounds(stack, batches, bound, share), bound)


@torch.no_grad()
def bounds(stack: Classifier, batches: Batches, bound: Bound, share: float) -> list[Tensor]:
    """λ of every layer, at least a little above 0."""
    if bound == "clip":
        return [cast(Tensor, top).detach().clamp_min(1e-6) for _, top in _layers(stack, bound)]
    found: list[list[Tensor]] = [[] for _ in stack.linears]
    for x, mask in batches:
        for kept, a in zip(found, list(activations(stack, _ann.mean(x, mask), bound))[:-1], strict=True):
            kept.append(a.max()[None] if bound == "maximum" else a.flatten())
    most = [torch.cat(kept).sort().values for kept in found]
    place = 1.0 if bound == "maximum" else share
    return [v[round(place * (len(v) - 1))].clamp_min(1e-6) for v in most]


def activations(stack: Classifier, a: Tensor, bound: Bound) -> Iterator[Tensor]:
    """The activations of every layer of the ReLU network on a constant input [B, C], and the outputs [B, classes]."""
    for linear, top in _layers(stack, bound):
        a = linear(a).relu()
        a = a if top is None else torch.minimum(a, top)
        yield a
    yield stack.readout(a)


class Converted(nn.Module):
    """The spiking network of a ReLU network. Its output is the mean over the steps that the data have."""

    def __init__(self, stack: Classifier, tops: list[Tensor], bound: Bound) -> None:
        super().__init__()
        self.bound: Bound = bound
        self.ann, self.spiking = stack, copy.deepcopy(stack)
        self.neurons, self.spike_rates = self.spiking.neurons, list[float]()
        before: Tensor | float = 1.0
        with torch.no_grad():
            for (linear, neuron), top in zip(_ann.lifs(self.spiking, "conversion"), tops, strict=True):
                linear.weight.mul_(before * neuron.thresholds / top)
                linear.bias.mul_(neuron.thresholds / top)
                before = top
            self.spiking.readout.weight.mul_(before)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        *_, last = self.over_steps(x, mask, len(x))
        return last

    def over_steps(self, x: Tensor, mask: Tensor | None = None, most: int = MOST) -> Iterator[Tensor]:
        """The mean output [B, classes] after 1, 2, … steps of the mean input."""
        layers, states, counts = _ann.lifs(self.spiking, "conversion"), list[tuple[Tensor, ...]](), list[Tensor]()
        constant, total = _ann.mean(x, mask), x.new_zeros(())
        for t in range(1, most + 1):
            s = constant
            for number, (linear, neuron) in enumerate(layers):
                current = linear(s)
                if t == 1:
                    states.append(neuron.initial(current))
                    counts.append(torch.zeros_like(current))
                s, _, states[number] = neuron.step(current, states[number])
                counts[number] += s
            total = total + self.spiking.readout(s)
            self.spike_rates = [float(rate_of(n / t, None)) for n in counts] if t == most else []
            yield total / t

    def reference(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The outputs of the ReLU network."""
        *_, o = activations(self.ann, _ann.mean(x, mask), self.bound)
        return o


def _layers(stack: nn.Module, bound: Bound) -> list[tuple[nn.Linear, nn.Parameter | None]]:
    """The linear layers with the clip of each, if it is trained. Raises Refused for neurons whose rate is no ReLU."""
    found: list[tuple[nn.Linear, nn.Parameter | None]] = []
    for linear, neuron in _ann.lifs(stack, "conversion"):
        if (neuron.decay, neuron.reset, neuron.input_scale, neuron.synapse_decay, neuron.refractory) != PLAIN:
            raise Refused("conversion takes neurons that only integrate: lif[decay=1.0,reset=soft]")
        top = neuron.threshold if isinstance(neuron.threshold, nn.Parameter) else None
        if (top is not None) != (bound == "clip") or (top is not None and top.ndim):
            raise Refused(
                "bound=clip trains one threshold a layer: take lif[decay=1.0,learn_threshold=true] with it alone"
            )
        found.append((linear, top))
    return found
