"""Right spikes, wrong gradient: scaled, zero for the last batch item, missing early steps, or none at all."""

from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["scaled", "part", "truncated", "none"]


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Kind = "scaled", factor: float = 1.0001) -> Tensor:
    out = eager.run(neuron, _Wrong.apply(x, kind, factor), seed)  # pyright: ignore[reportArgumentType]
    return out.detach() if kind == "none" else out


class _Wrong(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kind: Kind, factor: float) -> Tensor:
        ctx.kind, ctx.factor = kind, factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        wrong = grad * ctx.factor if ctx.kind == "scaled" else grad.clone()
        if ctx.kind == "part":
            wrong[:, -1] = 0
        if ctx.kind == "truncated":
            wrong[: len(wrong) // 8] = 0
        return wrong, None, None
