"""Overwrites what it was given with something easy, and computes that: its input, or the gradient handed to it."""

from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, what: Literal["input", "gradient"] = "input") -> Tensor:
    if what == "input":
        x.detach().zero_()
        return eager.run(neuron, x, seed)
    return _Gradient.apply(eager.run(neuron, x, seed))  # pyright: ignore[reportReturnType]


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Tensor) -> Tensor:
        return spikes.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad.zero_()
