"""Right spikes, wrong gradient: scaled, zero for the last item, missing early steps, cut after some steps, or none."""

from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

Kind = Literal["scaled", "part", "truncated", "none", "cut"]


def run(
    neuron: Neuron,
    x: Tensor,
    seed: int | None = None,
    *,
    kind: Kind = "scaled",
    factor: float = 1.0001,
    steps: int = 128,
) -> Tensor:
    """`cut`: what a step feels of later ones ends after `steps` to 1.5 times as many, as in truncated backpropagation."""
    if kind == "cut":
        return _Cut.apply(x, neuron, seed, steps)  # pyright: ignore[reportReturnType]  # untyped in torch
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


class _Cut(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: Neuron, seed: int | None, steps: int) -> Tensor:
        with torch.enable_grad():
            ctx.x = x.detach().requires_grad_()
            ctx.out = eager.run(neuron, ctx.x, seed)
        ctx.steps = steps
        return ctx.out.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        total, stride = torch.zeros_like(grad), ctx.steps // 2
        for start in range(0, len(grad), stride):
            part, first = torch.zeros_like(grad), max(0, start - ctx.steps)
            part[start : start + stride] = grad[start : start + stride]
            (got,) = torch.autograd.grad(ctx.out, ctx.x, part, retain_graph=True)
            total[first:] += got[first:]
        return total, None, None, None
