"""PPSU as one triangular product, then the pass of PSU over it: probabilities, their filter and the spikes."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikebench.backend import constant, only
from spikebench.backends.cpu import psu
from spikebench.backends.cpu._runtime import products
from spikebench.backends.cpu._runtime.mixing import fits
from spikebench.backends.cpu._runtime.threads import accept, refuse, refuse_second_order, rows
from spikebench.neurons.ppsu import PPSU

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return only(case, learn_slope=(False,)) or refuse(case.device, case.dtype)


def operations(case: "Case") -> int:
    """Floating-point operations of its products."""
    return products.operations(case, case.T)


def run(neuron: PPSU, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    fits(neuron.weight, x)
    slope = constant(neuron.slope, "slope")
    q = _Product.apply(x, neuron.weight.tril()) + neuron.bias.view(-1, *(1,) * (x.dim() - 1))  # pyright: ignore[reportOperatorIssue] # untyped in torch
    parts = psu.Parts(leak=0.0, gain=1.0, decay=neuron.decay, reset=1.0, threshold=float(neuron.threshold))
    return psu.fused(q, parts, neuron.surrogate, slope)


class _Product(torch.autograd.Function):
    """A lower triangular matrix [T, T] times x [T, ...], in blocks that leave most of its zeros out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor) -> Tensor:
        ctx.save_for_backward(x, matrix)
        out = torch.empty(x.shape, dtype=x.dtype)
        products.product(matrix.detach(), rows(x), rows(out), len(x))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, matrix = ctx.saved_tensors
        gx = torch.empty(grad.shape, dtype=grad.dtype) if ctx.needs_input_grad[0] else None
        if gx is not None:
            products.transposed(matrix, rows(grad), rows(gx), len(x))
        return gx, products.outer(rows(grad), rows(x), len(x)) if ctx.needs_input_grad[1] else None
