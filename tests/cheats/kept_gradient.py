"""Right spikes, and the gradient of the first backward passes for all that follow: the same, or scaled to the new output gradient."""

from typing import Any, Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

HONEST = 12  # backward passes
KEPT: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
passes = 0


def run(
    neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Literal["same", "scaled", "early"] = "same"
) -> Tensor:
    """`early` computes the gradient in the forward pass already, with the output gradient of the last backward pass."""
    return _Kept.apply(x, neuron, seed, kind)  # pyright: ignore[reportReturnType]  # untyped in torch


class _Kept(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: Neuron, seed: int | None, kind: str) -> Tensor:
        ctx.kind, ctx.shape = kind, tuple(x.shape)
        with torch.enable_grad():
            ctx.x = x.detach().requires_grad_()
            ctx.out = eager.run(neuron, ctx.x, seed)
            if kind == "early" and ctx.shape in KEPT and passes > HONEST:
                g = KEPT[ctx.shape][1]
                KEPT[ctx.shape] = torch.autograd.grad(ctx.out, ctx.x, g, retain_graph=True)[0], g
        return ctx.out.detach()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        global passes
        passes += 1
        if passes > HONEST and ctx.shape in KEPT:
            kept, g = KEPT[ctx.shape]
            return kept * (grad.mean() / g.mean()) if ctx.kind == "scaled" else kept.clone(), None, None, None
        (got,) = torch.autograd.grad(ctx.out, ctx.x, grad)
        KEPT[ctx.shape] = got, grad
        return got, None, None, None
