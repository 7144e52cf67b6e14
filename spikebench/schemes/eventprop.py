"""EventProp on a grid of steps: the neurons fire as lif does, and the errors go back through spike times, by two adjoint variables.

With P and Q for the adjoints of membrane and current, the sums of `fast_and_deep` from the last step to the first,

    c_k = −s_k (∂L/∂t_k − (θ/τ) P)/u̇_k        u̇_k = (1/τ_s − 1/τ) A_k − θ/τ        A_k = g λ_s i_k
    P ← P + c_k      Q ← Q + c_k                                 at time k + 1, when a spike of step k is there
    P ← λ P          Q ← λ_s Q                                   back to time k, when the spikes before arrive
    ∂L/∂W = Σ_k g (P − Q) (s^{in}_k)ᵀ        ∂L/∂t^{in}_k = Wᵀ g (P/τ − Q/τ_s)

λ and λ_s are decay and synapse_decay, i the current of `lif`. At a spike the membrane counts as θ, though on the grid it is above, as in
the authors' equations, λ_V and λ_I of which are sums of P and Q. The weights get P − Q, and the spikes before get
another sum of the two: no gradient of a current serves both, which is why the scheme owns its synapses. A spike arrives in the next
layer one step later. As the steps get shorter, the gradient tends to that of `fast_and_deep`, with an error of their length.
u̇ is taken to be at least grazing·θ/τ. The loss is that of `_events.py`; biases are not used.
Source: Wunderlich and Pehle 2021, arXiv 2009.08378; on a grid as in lolemacs/pytorch-eventprop, whose decays are 1 − dt/τ in place
of e^{−dt/τ}, which leaves out the factor τ_s, and which adds to the weights of silent neurons: neither is done here.

Options:
    grazing: the slowest rise at a spike that a gradient is taken of, in units of θ/τ
    temperature: ξ of the loss
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikebench.loading.subject import definition_of
from spikebench.network import Classifier
from spikebench.neurons.lif import LIF
from spikebench.numerics import events
from spikebench.numerics.events import Constants
from spikebench.scheme import Apply, Gradients, in_lists
from spikebench.schemes import _crossings, _events
from spikebench.units import Positive, Share

SOURCE = (
    "@article{wunderlich2021event, author={Wunderlich, Timo C. and Pehle, Christian}, title={Event-based backpropagation can"
    " compute exact gradients for spiking neural networks}, journal={Scientific Reports}, volume={11}, number={12829}, year={2021}}"
)
MEMORY = "T"
EXACT = False
ANN_BRANCH = False
ONLINE = False
VERIFIED = True
EVENTS = True
NEURON = "lif[decay=0.951229424500714,synapse_decay=0.904837418035960]"
NEURONS = ("lif",)
BACKENDS = ("eager", "cpu")

NAME = "eventprop"


@dataclass(frozen=True)
class Passed:
    """A layer's forward pass: the spikes that came [T, B, C], its own [T, B, N], and how fast the membrane rises at each step."""

    came: Tensor
    spikes: Tensor
    rises: Tensor


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    grazing: Share = 0.01,
    temperature: Positive = 0.2,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch of lists x [B, C, S], which are counted in steps first."""
    layers, end = _events.layers(stack, NAME, 1), _events.ends(mask, x)
    passes = forward(stack, layers, x, end)
    loss, errors = of_first_spikes(passes[-1].spikes, end, labels, temperature * layers[-1].neuron.tau)
    found = dict[nn.Parameter, Tensor]()
    for number, (layer, passed) in reversed([*enumerate(zip(layers, passes, strict=True))]):
        by_current, by_time = adjoint(stack, layer.neuron, passed, errors, grazing)
        found[layer.weight] = torch.einsum("tbn,tbc->nc", by_current, passed.came)
        if number:
            errors = _earlier(by_time @ layer.weight.detach())
    return loss, _events.completed(stack, found, apply)


def definition(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    grazing: Share = 0.01,
    temperature: Positive = 0.2,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients by the definition of lif, whose spikes are the same, and by sums over all pairs of a spike and an event, in float64."""
    layers, end = _events.layers(stack, NAME, 1), _events.ends(mask, x)
    neurons = [cast(LIF, definition_of(bound) or bound) for bound in stack.neurons]
    passes, s = list[_OnGrid](), events.counts(x, int(end.max()))
    for layer, neuron in zip(layers, [*neurons, neurons[-1]], strict=True):
        passes.append(_OnGrid(layer.weight.detach(), neuron, layer.neuron, s, end, grazing))
        s = _later(passes[-1].spikes)
    loss, given = of_first_spikes(passes[-1].spikes, end, labels, temperature * layers[-1].neuron.tau)
    errors = torch.where(passes[-1].times.isfinite(), passes[-1].of(given), 0)
    found = dict[nn.Parameter, Tensor]()
    for layer, each in zip(reversed(layers), reversed(passes), strict=True):
        lost = each.times.shape[2] - errors.shape[2]  # a spike of the last step arrives nowhere
        found[layer.weight], errors = each.back(functional.pad(errors, (0, lost)))
    return loss, _events.completed(stack, found, None)


def tested(stack: Classifier, batches: object, *, grazing: Share = 0.01, temperature: Positive = 0.2) -> nn.Module:
    """The network on its grid of steps, of which the class that fires first has the largest output."""
    return Tested(stack)


class Tested(nn.Module):
    """See `tested`."""

    def __init__(self, stack: Classifier) -> None:
        super().__init__()
        self.stack, self.neurons, self.spike_rates = [stack], stack.neurons, list[float]()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        (stack,) = self.stack
        times, whole = in_lists(x, mask)
        end = _events.ends(whole, times)
        passes = forward(stack, _events.layers(stack, NAME, 1), times, end)
        self.spike_rates = [float(p.spikes.sum()) / (p.spikes.shape[2] * float(end.sum())) for p in passes[:-1]]
        return -first(passes[-1].spikes, end)


def forward(stack: Classifier, layers: list[_events.Layer], x: Tensor, end: Tensor) -> list[Passed]:
    """All layers on the grid."""
    passes, s = list[Passed](), events.counts(x, int(end.max()))
    for layer in layers:
        made = Passed(s, *fired(stack, layer.neuron, functional.linear(s, layer.weight.detach()), end))
        passes.append(made)
        s = _later(made.spikes)
    return passes


def fired(stack: Classifier, neuron: Constants, x: Tensor, end: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes and rises [T, B, N] of a current; after the end of its sample nothing fires."""
    if _events.fused(stack):
        from spikebench.backends.cpu._runtime import eventprop as kernels  # numba loads

        spikes, rises = kernels.forward(neuron, x)
    else:
        decay, synapse, theta = neuron.decays[0], neuron.decays[1], neuron.threshold
        i = v = torch.zeros_like(x[0])
        found, currents = list[Tensor](), list[Tensor]()
        for x_t in x.unbind(0):
            i = synapse * i + x_t
            u = decay * v + i
            found.append((u >= theta).to(x.dtype))
            currents.append(i)
            v = u - theta * found[-1]
        spikes, rises = torch.stack(found), neuron.rise_by_current * torch.stack(currents) - theta / neuron.tau
    step = torch.arange(len(x), device=x.device)[:, None]
    return spikes * (step < end).to(x.dtype)[..., None], rises


def adjoint(
    stack: Classifier, neuron: Constants, passed: Passed, errors: Tensor, grazing: float
) -> tuple[Tensor, Tensor]:
    """g (P − Q) and g (P/τ − Q/τ_s) of every step, by the errors ∂L/∂t of its spikes: all [T, B, N]."""
    if _events.fused(stack):
        from spikebench.backends.cpu._runtime import eventprop as kernels

        return kernels.backward(neuron, passed.spikes, passed.rises, errors, grazing)
    rises = passed.rises.clamp_min(grazing * neuron.threshold / neuron.tau)
    p = q = torch.zeros_like(errors[0])
    by_current, by_time = torch.empty_like(errors), torch.empty_like(errors)
    for k in range(len(errors) - 1, -1, -1):
        c = -passed.spikes[k] * (errors[k] - neuron.threshold / neuron.tau * p) / rises[k]
        p, q = neuron.decays[0] * (p + c), neuron.decays[1] * (q + c)
        by_current[k] = neuron.gain * (p - q)
        by_time[k] = neuron.gain * (p / neuron.tau - q / neuron.tau_s)
    return by_current, by_time


def first(spikes: Tensor, end: Tensor) -> Tensor:
    """The time of the first spike of every neuron, one step after it began, or the end of the sample: [B, N]."""
    none = (spikes.sum(0) == 0).to(spikes.dtype)
    return torch.minimum((spikes.argmax(0) + 1).to(spikes.dtype) + none * end.max(), end[:, None].to(spikes.dtype))


def of_first_spikes(spikes: Tensor, end: Tensor, labels: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """The loss, and ∂L/∂t of every spike [T, B, classes]: 0 but for the first of a class."""
    times = first(spikes, end)
    with torch.enable_grad():
        held = times.detach().requires_grad_()
        loss = _events.loss_of(held, labels, scale)
    (delta,) = torch.autograd.grad(loss, held)
    one = (spikes.cumsum(0) == 1).to(spikes.dtype) * spikes
    early = ((torch.arange(len(spikes), device=spikes.device) + 1)[:, None] < end).to(spikes.dtype)
    return loss.detach(), one * early[..., None] * delta


def _later(s: Tensor) -> Tensor:
    """Spikes as they arrive in the next layer, a step later."""
    return torch.cat([torch.zeros_like(s[:1]), s[:-1]])


def _earlier(errors: Tensor) -> Tensor:
    """Errors of arriving spikes as those of the steps in which they were fired."""
    return torch.cat([errors[1:], torch.zeros_like(errors[:1])])


class _OnGrid(_crossings.Pass):
    """A layer whose spikes are those of lif on the grid, and whose backward pass sums over all pairs."""

    def __init__(self, weight: Tensor, lif: LIF, neuron: Constants, came: Tensor, end: Tensor, grazing: float) -> None:
        x = functional.linear(came, weight)
        step = torch.arange(len(x), device=x.device)[:, None]
        self.spikes = lif(x).detach() * (step < end).to(x.dtype)[..., None]
        self._weight, self._neuron, self._before = weight.double(), neuron, events.lists(came).double()
        self._least = grazing * neuron.threshold / neuron.tau
        self._place = events.lists(self.spikes)
        self.times = self._place.double() + 1
        lag = self.times[..., None, None] - self._before[:, None, None]  # [B, N, K, C, S]
        fast = torch.where((lag > 0) & lag.isfinite(), (-lag / neuron.tau_s).exp(), 0).sum(-1)
        a = neuron.gain * torch.einsum("bnkc,nc->bnk", fast, self._weight)
        self.rises = (1 / neuron.tau_s - 1 / neuron.tau) * a - neuron.threshold / neuron.tau
        self.rises = torch.where(self.times.isfinite(), self.rises, torch.inf)

    def of(self, errors: Tensor) -> Tensor:
        """Errors of steps [T, B, N] as those of the listed spikes [B, N, K]."""
        place = torch.where(self._place.isfinite(), self._place, 0).long()
        return errors.movedim(0, -1).double().gather(-1, place)
