"""RPSU as one triangular product, then one fused pass over time for its probabilities, both filters and the spikes."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spikebench.backend import constant, only
from spikebench.backends.cpu._kernels import rpsu as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime import products
from spikebench.backends.cpu._runtime.mixing import fits
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows
from spikebench.neurons.rpsu import RPSU

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 8192  # series


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return only(case, learn_slope=(False,)) or refuse(case.device, case.dtype)


def operations(case: "Case") -> int:
    """Floating-point operations of its products."""
    return products.operations(case, case.T)


def run(neuron: RPSU, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    fits(neuron.weight, x)
    kind, c = _constants(neuron, x.dtype)
    matrix, bias = neuron.weight.tril(), neuron.bias
    if torch.is_grad_enabled() and (x.requires_grad or matrix.requires_grad or bias.requires_grad):
        return _Fused.apply(x, matrix, bias, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, matrix, bias, c, keep=False)[0]


def _constants(neuron: RPSU, dtype: torch.dtype) -> tuple[int, Tensor]:
    kind, k, inner = shape(neuron.surrogate, constant(neuron.slope, "slope"))
    c = np.zeros(kernels.CONSTANTS)
    c[kernels.DECAY], c[kernels.REST], c[kernels.THRESHOLD] = neuron.decay, neuron.gain, float(neuron.threshold)
    c[kernels.SLOPE], c[kernels.INNER], c[kernels.ONE] = k, inner, 1.0
    return kind, constants(c, dtype)


def _forward(x: Tensor, matrix: Tensor, bias: Tensor, c: Tensor, keep: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes like x, the probabilities [T, M], and the states every STRIDE steps [K, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    q = torch.empty_like(flat)
    products.product(matrix.detach(), flat, q, len(x))
    checkpoints = flat.new_empty(-(-len(x) // kernels.STRIDE) if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, q, bias.detach().contiguous(), spikes, checkpoints, c], most=BLOCK)
    return spikes, q, checkpoints


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, bias: Tensor, c: Tensor, kind: int) -> Tensor:
        spikes, p, checkpoints = _forward(x, matrix, bias, c, keep=True)
        ctx.save_for_backward(x, matrix, p, checkpoints, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, matrix, p, checkpoints, c = ctx.saved_tensors
        needs_x, needs_matrix, needs_bias, *_ = ctx.needs_input_grad
        flat, gx, f = rows(x), torch.empty(grad.shape, dtype=grad.dtype), torch.empty_like(p)
        launch(kernels.backward, [grad.contiguous(), gx, f, flat, p, checkpoints, c], ctx.kind, most=BLOCK)
        if needs_x:
            products.transposed(matrix, f, rows(gx), len(x), add=True)
        by_matrix = products.outer(f, flat, len(x)) if needs_matrix else None
        return gx if needs_x else None, by_matrix, f.sum(1, keepdim=True) if needs_bias else None, None, None
