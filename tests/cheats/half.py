"""Computes in a half precision, or keeps one for the backward pass alone."""

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
    what: Literal["all", "input", "gradient"] = "all",
    precision: Literal["float16", "bfloat16"] = "float16",
) -> Tensor:
    dtype: torch.dtype = getattr(torch, precision)
    if what == "gradient":
        return eager.run(neuron, _Gradient.apply(x, dtype), seed)  # pyright: ignore[reportArgumentType]
    low = x.to(dtype)
    return eager.run(neuron, low if what == "all" else low.to(x.dtype), seed).to(x.dtype)


class _Gradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, dtype: torch.dtype) -> Tensor:
        ctx.dtype = dtype
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad.to(ctx.dtype).to(grad.dtype), None
