"""Wrong once in a while: one of so many calls gives the spikes of the call before, none at all, or a wrong gradient."""

import random
from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

calls = 0
last: dict[tuple[int, ...], Tensor] = {}


def run(
    neuron: Neuron,
    x: Tensor,
    seed: int | None = None,
    *,
    kind: Literal["last", "none", "gradient"] = "last",
    every: int = 7,
    honest: int = 20,
) -> Tensor:
    """The first `honest` calls are right."""
    global calls
    calls += 1
    wrong = calls > honest and random.Random(calls).random() * every < 1
    if kind == "gradient":
        return eager.run(neuron, _Gradient.apply(x, wrong), seed)  # pyright: ignore[reportArgumentType]
    if wrong:
        spikes = last[tuple(x.shape)] if kind == "last" else torch.zeros_like(x.detach())
        return spikes + (x - x.detach())
    out = eager.run(neuron, x, seed)
    last[tuple(x.shape)] = out.detach()
    return out


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, wrong: bool) -> Tensor:
        ctx.wrong = wrong
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return torch.zeros_like(grad) if ctx.wrong else grad, None
