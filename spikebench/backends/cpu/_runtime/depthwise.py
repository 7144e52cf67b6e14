"""A causal convolution over time whose weights are each neuron's own (depthwise), as one pass forward and one back."""

from typing import Any

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import depthwise as kernels
from spikebench.backends.cpu._runtime.threads import accept, by_neuron, launch, refuse_second_order, rows, wide

BLOCK = 2048  # series


def convolved(x: Tensor, weight: Tensor, bias: Tensor, dilation: int = 1) -> Tensor:
    """bias + Σ_{i<k} weight_i·x_{t − i·dilation}, shape of x [T, ..., N]; weight [k, N], bias [N]; differentiable by all."""
    accept(x)
    return _Convolved.apply(x, weight, bias, dilation)  # pyright: ignore[reportReturnType] # untyped in torch


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        out = torch.empty(x.shape, dtype=x.dtype)
        weights = wide(weight, x)
        launch(kernels.forward, [rows(x), rows(out), weights, wide(bias[None], x)], dilation, most=BLOCK)
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
        launch(kernels.backward, arrays, ctx.dilation, most=BLOCK)
        return gx, by_neuron(by_weight, grad), by_neuron(by_bias, grad)[0], None
