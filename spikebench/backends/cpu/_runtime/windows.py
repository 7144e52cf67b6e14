"""A spike of a weighted sum of the last steps, fused: forward and back each one pass over time, with x alone kept."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import window as kernels
from spikebench.backends.cpu._runtime.firing import Spiking, constants
from spikebench.backends.cpu._runtime.threads import LINE, accept, launch, refuse_second_order, rows, size

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LEAST, MOST = 64, 1024  # series


def moves(case: "Case", weights: int) -> int:
    """Bytes: x, spikes, the table of weights; in training also g, x and table again, x's gradient, sums by block."""
    inputs, table = size(case), size(case) // (case.T * case.B * case.N) * weights
    sums = -(-case.B * case.N // _block(case.B * case.N)) * weights * 8
    return 5 * inputs + 2 * table + sums if case.mode == "train" else 2 * inputs + table


def windowed(neuron: Spiking, x: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """Spikes of Σ_j weights_j·x_{t−k+1+j} + bias, shape of x [T, ...]; weights [R, k] and bias [R, 1], R is 1 or T."""
    accept(x)
    kind, c = constants(neuron, x.dtype)
    if torch.is_grad_enabled() and (x.requires_grad or weights.requires_grad or bias.requires_grad):
        return _Windowed.apply(x, weights, bias, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, weights, bias, c)


def _block(series: int) -> int:
    """Series of a block by their number alone, so that sums do not depend on the number of threads."""
    return min(MOST, max(LEAST, -(-series // (8 * LINE)) * LINE))


def _forward(x: Tensor, weights: Tensor, bias: Tensor, c: Tensor) -> Tensor:
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    given = [weights.detach().contiguous(), bias.detach().contiguous(), c]
    launch(kernels.forward, [flat, rows(spikes), *given], most=_block(flat.shape[1]))
    return spikes


class _Windowed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weights: Tensor, bias: Tensor, c: Tensor, kind: int) -> Tensor:
        ctx.save_for_backward(x, weights, bias, c)
        ctx.kind = kind
        return _forward(x, weights, bias, c)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, weights, bias, c = ctx.saved_tensors
        needs_x, needs_weights, needs_bias, *_ = ctx.needs_input_grad
        flat, (count, k) = rows(x), weights.shape
        block = _block(flat.shape[1])
        blocks = -(-flat.shape[1] // block) if needs_weights or needs_bias else 0
        totals = torch.zeros(blocks * count, k + 1, dtype=torch.float64)
        gx = torch.empty(grad.shape if needs_x else (0, flat.shape[1]), dtype=grad.dtype)
        given = [weights.contiguous(), bias.contiguous(), totals, c]
        launch(kernels.backward, [rows(grad), rows(gx), flat, *given], ctx.kind, most=block, even=False)
        sums = torch.from_numpy(totals.numpy().reshape(blocks, count, k + 1).sum(0)).to(x.dtype)
        by_weights, by_bias = sums.split([k, 1], 1)
        return (
            gx if needs_x else None,
            by_weights if needs_weights else None,
            by_bias if needs_bias else None,
            None,
            None,
        )
