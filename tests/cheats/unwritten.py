"""Leaves the end of a buffer as the allocator gave it: the last steps or the last series of spikes, or of the gradient."""

from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def run(
    neuron: Neuron,
    x: Tensor,
    seed: int | None = None,
    *,
    what: Literal["steps", "series", "gradient"] = "steps",
    last: int = 1,
) -> Tensor:
    if what == "gradient":
        return eager.run(neuron, _Gradient.apply(x, last), seed)  # pyright: ignore[reportArgumentType]
    return _Spikes.apply(eager.run(neuron, x, seed), what, last)  # pyright: ignore[reportReturnType]


def _all_but(full: Tensor, what: str, last: int) -> Tensor:
    torn = torch.empty_like(full)
    if what == "series":
        torn.view(len(full), -1)[:, :-last] = full.reshape(len(full), -1)[:, :-last]
    else:
        torn[:-last] = full[:-last]
    return torn


class _Spikes(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor, what: str, last: int) -> Tensor:
        return _all_but(spikes, what, last)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad, None, None


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, last: int) -> Tensor:
        ctx.last = last
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return _all_but(grad, "steps", ctx.last), None
