"""Norms of currents [T, B, N] or [T, B, C, H, W], whose statistics are taken over all steps or of each step apart."""

from typing import Literal

import torch
from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.loading.subject import definition_of
from spikebench.network import MakeNeuron, StepNorm, Unchanged

Norm = Literal["none", "batch", "tdbn", "tebn", "bntt", "bntt_loop"]
OF_STEPS = ("tebn", "bntt", "bntt_loop")  # those that are made for one number of steps


def made(norm: Norm, channels: int, T: int, make_neuron: MakeNeuron) -> nn.Module:
    """The norm of that name for so many neurons or channels, T steps, and such neurons behind it."""
    match norm:
        case "none":
            return Unchanged()
        case "batch":
            return StepNorm(channels)
        case "tdbn":
            return ThresholdNorm(channels, _threshold(make_neuron))
        case "tebn":
            return EffectiveNorm(channels, T)
        case "bntt":
            return NormThroughTime(channels, T)
        case "bntt_loop":
            return LoopedNorm(channels, T)


def weights_of(norm: nn.Module) -> list[nn.Parameter]:
    """The weights of a norm: one, or of `bntt_loop` one of each step, or none of `none`."""
    return [p for name, p in norm.named_parameters() if name.endswith("weight")]


def _threshold(make_neuron: MakeNeuron) -> float:
    """The threshold of a neuron, or what it starts at; 1 of a module that names none."""
    with torch.random.fork_rng():
        neuron = definition_of(make_neuron(1))
    threshold = 1.0 if neuron is None else neuron.threshold
    return float(threshold.detach().mean()) if isinstance(threshold, Tensor) else float(threshold)


class ThresholdNorm(StepNorm):
    """Threshold-dependent batch norm (tdBN), y = γ·(x − mean)/√(var + ε) + β over all steps, where γ starts at the threshold.

    Source: Zheng et al., AAAI 2021, arXiv 2011.05280, y = λ·α·V_th·x̂ + β with λ = 1 at the start. The product λ·α·V_th is
    one weight here, α = 1, as in the code of MS-ResNet (Ariande1/MS-ResNet at 7c5f006) and of SpikingJelly. It is the
    same map, whose weight learns at a rate of its own. Before a sum of two branches the paper has α = 1/√2.
    """

    def __init__(self, channels: int, threshold: float) -> None:
        super().__init__(channels)
        nn.init.constant_(self.weight, threshold)


class EffectiveNorm(StepNorm):
    """Temporal effective batch norm (TEBN), y_t = p_t·BN(x)_t: one norm over all steps, and a learned factor for each step.

    Source: Duan et al., NeurIPS 2022, and ChaotengDuan/TEBN at 8f82f6a; p starts at 1.
    """

    def __init__(self, channels: int, T: int) -> None:
        super().__init__(channels)
        self.p = nn.Parameter(torch.ones(T))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return super().forward(x, mask) * self.p[: len(x)].view(-1, *(1,) * (x.ndim - 1))


def _through_time(features: int) -> nn.BatchNorm1d:
    """A BatchNorm as BNTT has it: a weight and no bias, ε = 1e-4."""
    made = nn.BatchNorm1d(features, eps=1e-4)
    made.bias = None  # pyright: ignore[reportAttributeAccessIssue]  # torch takes None
    return made


def _whole(mask: Tensor | None) -> None:
    """Raises Refused where there is padding."""
    if mask is not None:
        raise Refused("bntt has statistics of each step, and late steps are padding in most samples; take norm=tebn")


class NormThroughTime(nn.Module):
    """Batch norm through time (BNTT), y_t = γ_t·(x_t − mean_t)/√(var_t + ε): statistics and weight of each step apart, no bias.

    It is one BatchNorm over T·C channels, so that one launch does the work of T. `LoopedNorm` is the same as T norms, one
    after the other, as its authors have it.
    Source: Kim and Panda, Frontiers in Neuroscience 2021, arXiv 2010.01729, and
    Intelligent-Computing-Lab-Yale/BNTT-Batch-Normalization-Through-Time at bdf5250; ε = 1e-4.
    """

    def __init__(self, channels: int, T: int) -> None:
        super().__init__()
        self.norm = _through_time(T * channels)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        _whole(mask)
        rows = x.transpose(0, 1)  # [B, T, C, …]
        out = self.norm(rows.flatten(1, 2) if x.ndim == 3 else rows.flatten(1, 2).flatten(2))
        return out.view(rows.shape).transpose(0, 1)


class LoopedNorm(nn.Module):
    """BNTT as T norms, one after the other; see `NormThroughTime`."""

    def __init__(self, channels: int, T: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(_through_time(channels) for _ in range(T))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        _whole(mask)
        steps = zip(self.norms, x.unbind(0), strict=True)
        return torch.stack([norm(x_t if x_t.ndim == 2 else x_t.flatten(2)).view_as(x_t) for norm, x_t in steps])
