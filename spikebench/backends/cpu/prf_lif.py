"""The decoupled LIF as one fused pass over time forward and one back."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import prf_lif as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.prf_lif import PRFLIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 8192  # series


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph the membranes too; in training also g, the membranes again and x's gradient."""
    return size(case) * {"inference": 2, "forward": 3, "train": 6}[case.mode]


def run(neuron: PRFLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    kind, c = _constants(neuron, x.dtype)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Fused.apply(x, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, c, keep=False)[0]


def _constants(neuron: PRFLIF, dtype: torch.dtype) -> tuple[int, Tensor]:
    kind, k, inner = shape(neuron.surrogate, neuron.slope)
    threshold = float(neuron.threshold)
    c = np.zeros(kernels.CONSTANTS)
    c[kernels.DECAY], c[kernels.LIFT], c[kernels.THRESHOLD] = neuron.decay, threshold * neuron.decay, threshold
    c[kernels.FADE] = neuron.decay if neuron.accumulation == "decayed" else 1.0
    c[kernels.SLOPE], c[kernels.INNER], c[kernels.ONE] = k, inner, 1.0
    return kind, constants(c, dtype)


def _forward(x: Tensor, c: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the membranes [T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    u = flat.new_empty(flat.shape[0] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, u, c], most=BLOCK)
    return spikes, u


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, c: Tensor, kind: int) -> Tensor:
        spikes, u = _forward(x, c, keep=True)
        ctx.save_for_backward(u, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        u, c = ctx.saved_tensors
        gx = torch.empty(grad.shape, dtype=grad.dtype)
        launch(kernels.backward, [grad.contiguous(), gx, u, c], ctx.kind, most=BLOCK)
        return gx, None, None
