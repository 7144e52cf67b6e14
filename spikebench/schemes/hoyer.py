"""Hoyer spike: one step, whose threshold follows from how the membranes of a batch are spread, with a loss that keeps them sparse.

    u^l = W s^{l-1} + b        z^l = u^l/|θ|        c = clip(sg z, 0, 1)        E = Σ c²/Σ c  (0/0: 1)
    s^l = [z^l ≥ E]        o = W s^L + b        L + γ Σ_l (Σ z⁺)²/Σ (z⁺)²        z⁺ = clip(z, 0, 1)
    ∂s/∂z = ½·[0 < z < 1]  (narrow)        ½·[0 < z ≤ 2]  (wide)

sg stops the gradient, so that E has none. θ is the neuron's threshold, and learns where the neuron has learn_threshold=true. The
network takes the mean of the input over time, once. After the training it is tested as it was trained, in one step, with the mean of
E over the batches of the training data, of which a later one counts more (0.1 of each).
Source: Datta, Liu and Beerel 2022, arXiv 2212.10170; read in its authors' code, godatta/Ultra-Low-Latency-SNN. It clips z in place
before it compares z with E, and autograd then lets nothing through outside of (0, 1): what runs is narrow, and what is written is wide.
Here: E of a test is taken when the training is over. The authors' runs beside it, and starts at 0, so that an untrained
network fires everywhere.

Options:
    window: where the gradient of a spike is not 0: narrow as the authors' code runs, wide as it is written
    extent: E of a whole layer, or of each neuron over the batch
    strength: γ, how much the sparsity counts; the authors' commands have 1e-8 and 1e-9
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikebench.network import Classifier, rate_of
from spikebench.scheme import Apply, Gradients, learned
from spikebench.schemes import _ann

SOURCE = (
    "@misc{datta2022hoyer, author={Datta, Gourav and Liu, Zeyu and Beerel, Peter A.}, title={Hoyer regularizer is all you need"
    " for ultra low-latency spiking neural networks}, year={2022}, eprint={2212.10170}, archivePrefix={arXiv}}"
)
MEMORY = "1"
EXACT = False
ANN_BRANCH = False
ONLINE = False
VERIFIED = True
NEURONS = ("lif",)
BACKENDS = ("eager",)

Window = Literal["narrow", "wide"]
Extent = Literal["layer", "neuron"]
MOMENTUM = 0.1


class _Spike(torch.autograd.Function):
    """[z ≥ E] forward, ½ inside of the window backward."""

    @staticmethod
    def forward(ctx: Any, z: Tensor, level: Tensor, window: Window) -> Tensor:
        ctx.save_for_backward(z)
        ctx.window = window
        return (z >= level).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (z,) = ctx.saved_tensors
        return 0.5 * grad * _inside(z, ctx.window), None, None


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    window: Window = "narrow",
    extent: Extent = "layer",
    strength: Annotated[float, "[0, inf)"] = 1e-8,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch, from one step. The loss has what keeps the membranes sparse."""
    s, spread = _ann.mean(x, mask), x.new_zeros(())
    for linear, theta in _layers(stack):
        z = linear(s) / abs(theta)
        held = z.relu().clamp_max(1)
        spread = spread + _hoyer(held)
        s = _Spike.apply(z, _level(z.detach(), extent), window)
    return _ann.by_autograd(stack, stack.readout(s), labels, apply, strength * spread)


def definition(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    window: Window = "narrow",
    extent: Extent = "layer",
    strength: Annotated[float, "[0, inf)"] = 1e-8,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients with the error of every layer, and an outer product for each weight."""
    before, membranes = [_ann.mean(x, mask)], list[Tensor]()
    for linear, theta in _layers(stack):
        u = functional.linear(before[-1], linear.weight.detach(), linear.bias.detach())
        membranes.append(u / abs(_number(theta)))
        before.append((membranes[-1] >= _level(membranes[-1], extent)).to(x.dtype))
    o = functional.linear(before[-1], stack.readout.weight.detach(), stack.readout.bias.detach())
    loss, delta = _ann.loss_and_error(o, labels)
    made = dict[Tensor, Tensor]()
    made[stack.readout.weight], made[stack.readout.bias] = delta.t() @ before[-1], delta.sum(0)
    back = delta @ stack.readout.weight.detach()
    for (linear, theta), a, z in zip(reversed(_layers(stack)), before[-2::-1], reversed(membranes), strict=True):
        held, inside = z.clamp(0, 1), _inside(z, "narrow")
        one, two = held.sum(), held.square().sum()
        loss = loss + strength * _hoyer(held)
        by_spread = inside * (2 * one / two - 2 * (one / two).square() * z) if two > 0 else torch.zeros_like(z)
        by_z = 0.5 * back * _inside(z, window) + strength * by_spread
        if isinstance(theta, nn.Parameter):
            made[theta] = -(by_z * z / theta.detach()).sum(0 if theta.ndim else (0, 1))
        here = by_z / abs(_number(theta))
        made[linear.weight], made[linear.bias] = here.t() @ a, here.sum(0)
        back = here @ linear.weight.detach()
    return loss, {p: made[p] for p in learned(stack)}


def tested(
    stack: Classifier,
    batches: Iterable[tuple[Tensor, Tensor | None]],
    *,
    window: Window = "narrow",
    extent: Extent = "layer",
    strength: Annotated[float, "[0, inf)"] = 1e-8,
) -> nn.Module:
    """The network of one step, with the E of the batches that it was trained on."""
    running: list[Tensor] | None = None
    with torch.no_grad():
        for x, mask in batches:
            found = _OneStep(stack, None, extent).levels(x, mask)
            running = (
                found if running is None else [torch.lerp(a, b, MOMENTUM) for a, b in zip(running, found, strict=True)]
            )
    return _OneStep(stack, running, extent)


class _OneStep(nn.Module):
    """The stack in one step on the mean of its input; a layer's E is given, or that of the batch."""

    def __init__(self, stack: Classifier, given: list[Tensor] | None, extent: Extent) -> None:
        super().__init__()
        self.stack, self.neurons, self.given = stack, stack.neurons, given
        self.extent: Extent = extent
        self.spike_rates: list[float] = []

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        s, self.spike_rates = _ann.mean(x, mask), []
        for number, (linear, theta) in enumerate(_layers(self.stack)):
            s = self._fired(linear(s) / abs(theta), number)[0]
            self.spike_rates.append(float(rate_of(s, None)))
        return self.stack.readout(s)

    def levels(self, x: Tensor, mask: Tensor | None) -> list[Tensor]:
        """The E of every layer on a batch."""
        s, found = _ann.mean(x, mask), list[Tensor]()
        for number, (linear, theta) in enumerate(_layers(self.stack)):
            s, level = self._fired(linear(s) / abs(theta), number)
            found.append(level)
        return found

    def _fired(self, z: Tensor, number: int) -> tuple[Tensor, Tensor]:
        level = _level(z, self.extent) if self.given is None else self.given[number]
        return (z >= level).to(z.dtype), level


def _layers(stack: Classifier) -> list[tuple[nn.Linear, float | Tensor]]:
    """The linear layers with the thresholds of their neurons."""
    return [(linear, neuron.threshold) for linear, neuron in _ann.lifs(stack, "hoyer")]


def _number(theta: float | Tensor) -> float | Tensor:
    return theta.detach() if isinstance(theta, Tensor) else theta


def _inside(z: Tensor, window: Window) -> Tensor:
    return ((z > 0) & ((z < 1) if window == "narrow" else (z <= 2))).to(z.dtype)


def _level(z: Tensor, extent: Extent) -> Tensor:
    """E of membranes z [B, N]: a number, or [N]. It is summed in float64."""
    c = z.double().clamp(0, 1)
    one, two = (v.sum() if extent == "layer" else v.sum(0) for v in (c, c.square()))
    return torch.where(one > 0, two / one, 1.0).to(z.dtype)


def _hoyer(held: Tensor) -> Tensor:
    """(Σ z⁺)²/Σ (z⁺)², 0 where nothing is above 0."""
    two = held.square().sum()
    return torch.where(two > 0, held.sum().square() / two.clamp_min(torch.finfo(held.dtype).tiny), 0.0)
