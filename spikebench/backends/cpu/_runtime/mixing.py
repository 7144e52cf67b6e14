"""A spike of a product of matrices: blocks of the product, each followed by its spikes while it is in the cache."""

from typing import Any

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import fire as kernels
from spikebench.backends.cpu._runtime.firing import Spiking, constants
from spikebench.backends.cpu._runtime.products import blocks, length, outer, pieces, transposed
from spikebench.backends.cpu._runtime.threads import accept, launch, refuse_second_order, rows

BLOCK = 8192  # series


def mixed(neuron: Spiking, x: Tensor, matrix: Tensor, bias: Tensor | None, reach: int | None = None) -> Tensor:
    """Spikes of matrix x + bias, shape of x [T, ...]; matrix [T, T], bias [T, 1].

    reach: steps that a row of the matrix sees, its own the last one; None: all. Elsewhere the matrix must be zero
    whatever it was made of, for no gradient is computed there.
    """
    accept(x)
    fits(matrix, x)
    added = x.new_zeros(len(x), 1) if bias is None else bias
    kind, c = constants(neuron, x.dtype)
    if torch.is_grad_enabled() and (x.requires_grad or matrix.requires_grad or added.requires_grad):
        return _Mixed.apply(x, matrix, added, c, kind, reach)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, matrix, added, c, reach, keep=False)[0]


def fits(matrix: Tensor, x: Tensor) -> None:
    """Raises ValueError where a matrix was made for another number of steps."""
    if len(matrix) != len(x):
        raise ValueError(f"parameters for T={len(matrix)} cannot take an input of {len(x)} steps")


def _forward(
    x: Tensor, matrix: Tensor, bias: Tensor, c: Tensor, reach: int | None, keep: bool
) -> tuple[Tensor, Tensor]:
    """Spikes like x, and matrix x [T, M], of which a block is left if it is not kept."""
    spikes, flat, added = torch.empty(x.shape, dtype=x.dtype), rows(x), bias.detach().contiguous()
    u = flat.new_empty(len(x) if keep else min(length(len(x), reach), len(x)), flat.shape[1])
    cut = zip(*pieces(matrix.detach(), rows(spikes), added, reach=reach), blocks(len(x), reach), strict=True)
    for block, out, bias_of, (lo, hi, first, last) in cut:
        part = u[lo:hi] if keep else u[: hi - lo]
        torch.mm(block[:, first:last], flat[first:last], out=part)
        launch(kernels.forward, [part, out, bias_of, c], most=BLOCK)
    return spikes, u


class _Mixed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, bias: Tensor, c: Tensor, kind: int, reach: int | None) -> Tensor:
        spikes, u = _forward(x, matrix, bias, c, reach, keep=True)
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, matrix, bias, u, c)
        ctx.kind, ctx.reach = kind, reach
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, matrix, bias, u, c = ctx.saved_tensors
        needs_x, needs_matrix, needs_bias, *_ = ctx.needs_input_grad
        e = torch.empty_like(u)
        launch(kernels.backward, [rows(grad), u, e, bias.contiguous(), c], ctx.kind, most=BLOCK)
        gx = torch.empty(grad.shape, dtype=grad.dtype) if needs_x else None
        if gx is not None:
            transposed(matrix, e, rows(gx), ctx.reach)
        by_matrix = outer(e, rows(x), ctx.reach) if needs_matrix else None
        return gx, by_matrix, e.sum(1, keepdim=True) if needs_bias else None, None, None, None
