"""Fast & Deep with several spikes a neuron (BATS): the exact gradient of every spike time, found from event to event.

With τ = 2τ_s, that is synapse_decay = decay², the membrane after an event at time t_e is a difference of two exponentials,

    u(t_e + s) = B e^{−s/τ} − A e^{−2s/τ}        A = g Σ_j w_j e^{−(t_e − t_j)/τ_s}      B = g Σ_j w_j e^{−(t_e − t_j)/τ} − θ Σ_k e^{−(t_e − t^k)/τ}

and reaches θ where y = e^{s/τ} solves θy² − By + A = 0: y = 2A/(B + x) with x = √(B² − 4θA), if A > 0, x is real and y > 1. A spike
there takes θy off B (the soft reset); the next one is sought in the same way, until the next event. At a spike the membrane
rises by u̇ = x/(yτ) a step. By the implicit function theorem a spike time t^k moves with what it depends on by −(∂u/∂·)/u̇:

    c_k = −(∂L/∂t^k − (θ/τ) P(t^k))/u̇_k      P(t) = Σ_{k: t^k > t} c_k e^{−(t^k − t)/τ}      Q(t) = Σ_{k: t^k > t} c_k e^{−(t^k − t)/τ_s}
    ∂L/∂w_j = g Σ_{t_j} (P(t_j) − Q(t_j))      ∂L/∂t_j = g w_j (P(t_j)/τ − Q(t_j)/τ_s)

A spike that grazes the threshold, with u̇ near 0, would have an infinite gradient: u̇ is taken to be at least grazing·θ/τ.
A neuron without spikes learns nothing. Times and sums are float64 whatever the weights are. Biases are not used. The loss and
the neuron in continuous time are those of `_events.py`.
Source: Bacho and Chu 2022, arXiv 2212.09500, and its authors' code, Florian-BACHO/bats, whose sums over e^{t/τ} from time 0 are
these; with one spike a neuron: Göltz et al. 2021.

Options:
    max_spikes: a hidden neuron is silent after so many spikes; where that cuts spikes off, a record is flagged `silenced`
    grazing: the slowest rise at a spike that a gradient is taken of, in units of θ/τ
    temperature: ξ of the loss
"""

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.network import Classifier
from spikebench.numerics import events
from spikebench.numerics.events import Constants
from spikebench.scheme import Apply, Gradients
from spikebench.schemes import _crossings, _events
from spikebench.schemes._events import Layer
from spikebench.units import Count, Positive, Share

SOURCE = (
    "@misc{bacho2022exact, author={Bacho, Florian and Chu, Dominique}, title={Exact Error Backpropagation Through Spikes for"
    " Precise Training of Spiking Neural Networks}, year={2022}, eprint={2212.09500}, archivePrefix={arXiv}}"
)
MEMORY = "1"
EXACT = True
ANN_BRANCH = False
ONLINE = False
VERIFIED = True
EVENTS = True
NEURON = "lif[decay=0.951229424500714,synapse_decay=0.904837418035960]"
NEURONS = ("lif",)
BACKENDS = ("eager", "cpu")

NAME = "fast_and_deep"


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    max_spikes: Count = 32,
    grazing: Share = 0.01,
    temperature: Positive = 0.2,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch of lists x [B, C, S]: by fused kernels, or by PyTorch's autograd through every spike."""
    found = _events.learn(*asked(stack, x, labels, mask, max_spikes, temperature), grazing, fire_of(stack))
    return found[0], _events.completed(stack, found[1], apply)


def definition(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    max_spikes: Count = 32,
    grazing: Share = 0.01,
    temperature: Positive = 0.2,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients by bisection of u(t) − θ, and by sums over all pairs of a spike and an event."""
    found = _events.learn(*asked(stack, x, labels, mask, max_spikes, temperature), grazing, _crossings.Pass)
    return found[0], _events.completed(stack, found[1], None)


def followed(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    max_spikes: Count = 32,
    grazing: Share = 0.01,
    temperature: Positive = 0.2,
) -> _events.Followed:
    """The loss of a batch by bisection alone, of which finite differences are taken."""
    return _events.follow(*asked(stack, x, labels, mask, max_spikes, temperature), _crossings.Pass)


def silenced(
    stack: Classifier,
    x: Tensor,
    mask: Tensor | None = None,
    *,
    max_spikes: Count = 32,
    grazing: Share = 0.01,
    temperature: Positive = 0.2,
) -> int:
    """How many hidden neurons, over all samples, would have fired more than `max_spikes` times."""
    return _events.silenced(layers(stack, max_spikes), x, _events.ends(mask, x), fire_of(stack))


def tested(
    stack: Classifier,
    batches: object,
    *,
    max_spikes: Count = 32,
    grazing: Share = 0.01,
    temperature: Positive = 0.2,
) -> nn.Module:
    """The network in continuous time."""
    return _events.Tested(stack, layers(stack, max_spikes), fire_of(stack))


def asked(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None, max_spikes: int, temperature: float
) -> tuple[list[Layer], Tensor, Tensor, Tensor, float]:
    """What is learned from: the layers, the lists, their ends, the labels, and ξτ."""
    found = layers(stack, max_spikes)
    return found, x, _events.ends(mask, x), labels, temperature * found[-1].neuron.tau


def layers(stack: nn.Module, most: int) -> list[Layer]:
    """The layers of a stack. Raises Refused where τ is not 2τ_s, without which no crossing has a closed form."""
    found = list[Layer]()
    for layer in _events.layers(stack, NAME, most):
        neuron = layer.neuron
        if abs(neuron.tau / neuron.tau_s - 2) > 1e-3:  # decays are rounded to the stack's type
            wanted = math.exp(-2 / neuron.tau)
            raise Refused(f"{NAME} has a closed form for synapse_decay = decay²; take synapse_decay={wanted:.15g}")
        found.append(replace(layer, neuron=replace(neuron, tau_s=neuron.tau / 2)))
    return found


def fire_of(stack: Classifier) -> _events.Fire:
    """How a layer is computed: by the fused kernels where the neurons are on that backend, else by PyTorch."""
    if not _events.fused(stack):
        return Pass
    from spikebench.backends.cpu._runtime import events as kernels  # numba loads

    return kernels.Pass


class Pass:
    """One layer on the lists of a batch before it [B, C, S], by PyTorch: its spikes once it is made, and its backward pass."""

    def __init__(
        self, weight: Tensor, neuron: Constants, most: int, before: Tensor, end: Tensor, grazing: float
    ) -> None:
        self._neuron, self._least = neuron, grazing * neuron.threshold / neuron.tau
        self._given = weight.detach().double().requires_grad_(), before.detach().requires_grad_()
        with torch.enable_grad():
            times, rises = self._fired(*self._given, most, end)
            found, place = times.sort(-1)
        kept = max(1, int(found.detach().isfinite().sum(-1).max()))
        self._times, self.rises = found[..., :kept], rises.gather(-1, place)[..., :kept]
        self.times = self._times.detach()

    def back(self, errors: Tensor) -> tuple[Tensor, Tensor]:
        """The gradient of the weight, and the errors of the spikes before [B, C, S], by those of its own spikes."""
        if not self._times.requires_grad:
            return torch.zeros_like(self._given[0]), torch.zeros_like(self._given[1])
        found = torch.autograd.grad(self._times, self._given, errors, allow_unused=True)
        by_weight, by_time = (torch.zeros_like(v) if g is None else g for v, g in zip(self._given, found, strict=True))
        return by_weight, by_time

    def _fired(self, weight: Tensor, before: Tensor, most: int, end: Tensor) -> tuple[Tensor, Tensor]:
        """The spikes that are found from event to event, and the rises there: [B, N, spikes], infinite where there is none."""
        neuron, (at, place) = self._neuron, events.in_order(before)
        w = neuron.gain * weight.T[place // before.shape[2]]  # [B, E, N]
        a = b = w.new_zeros(len(at), w.shape[2])  # [B, N]
        count, now = torch.zeros_like(a, dtype=torch.int64), torch.zeros_like(end)[:, None]
        found = [(torch.full_like(a, torch.inf), torch.full_like(a, torch.inf))]
        for e in range(at.shape[1] + 1):
            here = (end if e == at.shape[1] else torch.minimum(at[:, e], end))[:, None]
            while True:
                y, rise, hit = crossing(neuron, a.detach(), b.detach(), (here - now).detach())
                hit &= count < most
                if not bool(hit.any()):
                    break
                t = self._moved(a, b, now, (now + torch.where(hit, neuron.tau * y.log(), 0)).detach(), rise, hit)
                b = b - torch.where(hit, neuron.threshold * ((t - now) / neuron.tau).exp(), 0)
                found.append((torch.where(hit, t, torch.inf), torch.where(hit, rise, torch.inf)))
                count = count + hit
            if e < at.shape[1]:
                more = torch.where(at[:, e, None] < end[:, None], w[:, e], 0)
                b = b * ((now - here) / neuron.tau).exp() + more
                a = a * ((now - here) / neuron.tau_s).exp() + more
                now = here
        times, rises = (torch.stack(each, -1) for each in zip(*found, strict=True))
        return times, rises

    def _moved(self, a: Tensor, b: Tensor, now: Tensor, t: Tensor, rise: Tensor, hit: Tensor) -> Tensor:
        """The spike times t, which move by −∂u/u̇: a step of Newton, whose value is 0."""
        u = b * ((now - t) / self._neuron.tau).exp() - a * ((now - t) / self._neuron.tau_s).exp()
        return t - torch.where(hit, (u - u.detach()) / rise.clamp_min(self._least), 0)


def crossing(neuron: Constants, a: Tensor, b: Tensor, left: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """y and u̇ of the next crossing of neurons at A and B [B, N], and whether there is one within `left` steps."""
    square = b * b - 4 * neuron.threshold * a
    x = square.clamp_min(0).sqrt()
    y = 2 * a / (b + x)
    hit = (a > 0) & (square >= 0) & (y > 1) & (neuron.tau * y.log() <= left)  # y ≤ 1: it would have been before
    return torch.where(hit, y, 1.0), torch.where(hit, x / (y * neuron.tau), torch.inf), hit
