"""A weighted sum over the last steps with weights of every neuron, as one pass forward and one back."""

from typing import Any

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import gated as kernels
from spikebench.backends.cpu._runtime.threads import accept, launch, refuse_second_order, rows

BLOCK = 2048  # series


def windowed(x: Tensor, weight: Tensor, bias: Tensor, dilation: int = 1) -> Tensor:
    """bias + Σ_{i<k} weight_i·x_{t − i·dilation}, shape of x [T, ..., N]; weight [k, N], bias [N]; differentiable by all."""
    accept(x)
    return _Window.apply(x, weight, bias, dilation)  # pyright: ignore[reportReturnType] # untyped in torch


def wide(by: Tensor, x: Tensor) -> Tensor:
    """What is [k, N] by neuron, by series: [k, M]."""
    batch = x.shape[1:-1].numel()
    return by.detach().to(x.dtype)[:, None].expand(-1, batch, -1).reshape(len(by), -1).contiguous()


class _Window(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        out = torch.empty(x.shape, dtype=x.dtype)
        weights = wide(weight, x)
        launch(kernels.window, [rows(x), rows(out), weights, wide(bias[None], x)], dilation, most=BLOCK)
        ctx.save_for_backward(x, weights)
        ctx.dilation = dilation
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, weights = ctx.saved_tensors
        gx = torch.empty(grad.shape, dtype=grad.dtype)
        by_weight = torch.zeros(weights.shape, dtype=torch.float64)
        by_bias = torch.zeros(1, weights.shape[1], dtype=torch.float64)
        arrays = [rows(grad), rows(x), rows(gx), weights, by_weight, by_bias]
        launch(kernels.unwindow, arrays, ctx.dilation, most=BLOCK)
        sums = [by.view(len(by), -1, grad.shape[-1]).sum(1).to(grad.dtype) for by in (by_weight, by_bias)]
        return gx, sums[0], sums[1][0], None
