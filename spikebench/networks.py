"""The networks that claims are about: stacks of Linear and neuron with a readout over time."""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import StochasticNeuron

MakeNeuron = Callable[[int], nn.Module]
Readout = Literal["mean", "leaky"]
Weights = Literal["torch", "kaiming"]


class Classifier(nn.Module):
    """Linear (+ BatchNorm) + neuron for every hidden size, then a linear readout over time that does not fire.

    `make_neuron(n)` gives any module that maps [T, B, n] to spikes of the same shape; further outputs are ignored.
    `forward(x, mask)` maps x [T, B, C] to logits [B, classes]; steps where mask [T, B] is false are padding, which
    counts neither in the readout nor in BatchNorm nor in `spike_rates`.

    batch_norm: over all steps and samples of a batch, so that in training mode (only there) the current at a step
    depends on later steps of the batch: the future leaks, even through causal neurons.
    readout: "mean" is the mean of the spikes over time; "leaky" is the readout of the SPSN authors, the mean over time
    of a membrane with synapse that leaks by `readout_decay` per step and is never reset.
    weights: "torch" is PyTorch's initialisation; "kaiming" the SPSN authors', uniform within √(3/fan-in), no bias.
    """

    def __init__(
        self,
        channels: int,
        hidden: Sequence[int],
        classes: int,
        make_neuron: MakeNeuron,
        *,
        batch_norm: bool = True,
        readout: Readout = "mean",
        readout_decay: float = 0.951229424500714,
        weights: Weights = "torch",
    ) -> None:
        super().__init__()
        sizes = [channels, *hidden]
        self.linears = nn.ModuleList(nn.Linear(*pair) for pair in zip(sizes, hidden, strict=False))
        self.norms = nn.ModuleList(StepNorm(n) if batch_norm else Unchanged() for n in hidden)
        self.neurons = nn.ModuleList(make_neuron(n) for n in hidden)
        self.readout = nn.Linear(sizes[-1], classes)
        self.leak = readout_decay if readout == "leaky" else None
        self.spike_rates: list[float] = []
        if weights == "kaiming":
            self.apply(_kaiming)
        number_sites(self)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        rates: list[Tensor] = []
        for linear, norm, neuron in zip(self.linears, self.norms, self.neurons, strict=True):
            out = neuron(norm(linear(x), mask))
            x = out[0] if isinstance(out, tuple) else out
            if not self.training:
                rates.append((x if mask is None else x[mask]).detach().mean())
        if not self.training:
            self.spike_rates = [float(rate) for rate in rates]
        weight = pooling(x.shape[0], self.leak, mask, x)
        pooled = (weight[..., None] * x).sum(0)  # [B, N]
        return nn.functional.linear(pooled, self.readout.weight) + weight.sum(0)[:, None] * self.readout.bias


class StepNorm(nn.BatchNorm1d):
    """BatchNorm of x [T, B, N] over all steps of all samples that are not padding; padding becomes zero."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        if mask is None:
            return super().forward(x.flatten(0, 1)).view_as(x)
        out = torch.zeros_like(x)
        out[mask] = super().forward(x[mask])
        return out


class Unchanged(nn.Module):
    """No norm: x as it is."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x


def pooling(steps: int, leak: float | None, mask: Tensor | None, like: Tensor) -> Tensor:
    """Weight of each step in the readout: [T, B], or [T, 1] without mask.

    The mean over time of a linear filter is a weighted sum of its input, x_t counting Σ_{n ≤ T-1-t} h_n / T, with
    h_n = (1 − leak)(n + 1)·leakⁿ the response of synapse and membrane; hence no loop over time.
    """
    valid = like.new_ones(steps, 1) if mask is None else mask.to(like.dtype)
    length = valid.sum(0)  # [B]
    if leak is None:
        return valid / length
    n = torch.arange(steps, dtype=torch.float64, device=like.device)
    step_response = ((1 - leak) * (n + 1) * leak**n).cumsum(0).to(like.dtype)  # [T]
    left = (valid.flip(0).cumsum(0).flip(0) - 1).clamp_min(0).long()  # valid steps still to come
    return step_response[left] * valid / length


def number_sites(model: nn.Module) -> None:
    """Gives every stochastic neuron of a model its own sampling site, so that no two draw the same noise."""
    neurons = (module for module in model.modules() if isinstance(module, StochasticNeuron))
    for site, neuron in enumerate(neurons):
        neuron.site = site


def _kaiming(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
        nn.init.zeros_(module.bias)
