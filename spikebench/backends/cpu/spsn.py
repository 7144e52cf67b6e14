"""SPSN as one fused pass over time: both recurrences, the random numbers and the spikes; and one back."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import spsn as kernels
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.spsn import SPSN
from spikebench.numerics.philox import MASK

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 8192  # series


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph their slopes too; in training also g, the slopes again and x's gradient."""
    return size(case) * {"inference": 2, "forward": 3, "train": 6}[case.mode]


def run(neuron: SPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    key = neuron.seed if seed is None else seed
    stream = (key & MASK, (key >> 32) & MASK, neuron.site & MASK, neuron.next_call() & MASK)
    c = _constants(neuron, x.dtype)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Fused.apply(x, c, stream)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, c, stream, keep=False)[0]


def _constants(neuron: SPSN, dtype: torch.dtype) -> Tensor:
    c = np.zeros(kernels.CONSTANTS)
    c[kernels.MEM], c[kernels.SYN], c[kernels.LEAK] = neuron.mem_decay, neuron.syn_decay, 1 - neuron.mem_decay
    c[kernels.GAIN] = 1.0 if neuron.mode == "sb" else 2.0
    c[kernels.AUTHORS], c[kernels.RELAXED] = neuron.estimator == "authors", neuron.mode == "gs"
    c[kernels.TAU], c[kernels.LEAST], c[kernels.ONE] = neuron.tau, 2.0**-25, 1.0
    return constants(c, dtype)


def _forward(x: Tensor, c: Tensor, stream: tuple[int, ...], keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and their slopes by the membrane [T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    slopes = flat.new_empty(flat.shape[0] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, slopes, c], *stream, most=BLOCK)
    return spikes, slopes


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, c: Tensor, stream: tuple[int, ...]) -> Tensor:
        spikes, slopes = _forward(x, c, stream, keep=True)
        ctx.save_for_backward(slopes, c)
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        slopes, c = ctx.saved_tensors
        gx = torch.empty(grad.shape, dtype=grad.dtype)
        launch(kernels.backward, [grad.contiguous(), gx, slopes, c], most=BLOCK)
        return gx, None, None
