"""FPT with a leak as one fused pass over time, in which every step does all rounds and draws its spike; and one back."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spikebench.backend import having, only
from spikebench.backends.cpu._kernels import fpt as kernels
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.fpt import FPT
from spikebench.numerics.philox import MASK

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 1024  # series; the sums of some rounds and four steps of uniforms stay in the first-level cache
CAN = {"filter": ("leak",)}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU, and a leak."""
    return only(case, **CAN) or refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph the slopes of all rounds; in training also g, these again and x's gradient."""
    rounds = int(case.options["rounds"])
    return size(case) * {"inference": 2, "forward": 2 + rounds, "train": 4 + 2 * rounds}[case.mode]


def run(neuron: FPT, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    having(neuron, **CAN)
    key = neuron.seed if seed is None else seed
    stream = (key & MASK, (key >> 32) & MASK, neuron.site & MASK, neuron.next_call() & MASK)
    c = np.zeros(kernels.CONSTANTS)
    c[kernels.DECAY], c[kernels.THRESHOLD], c[kernels.ONE] = neuron.decay, neuron.threshold, 1.0
    row = constants(c, x.dtype)
    forward = neuron.sharpness()
    sharp = torch.tensor([forward, [neuron.flattened(a) for a in forward]], dtype=torch.float64).to(x.dtype)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Fused.apply(x, sharp, row, stream)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, sharp, row, stream, keep=False)[0]


def _forward(x: Tensor, sharp: Tensor, c: Tensor, stream: tuple[int, ...], keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the slopes of all rounds [T·rounds, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    slopes = flat.new_empty(len(x) * sharp.shape[1] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, slopes, sharp, c], *stream, most=BLOCK)
    return spikes, slopes


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, sharp: Tensor, c: Tensor, stream: tuple[int, ...]) -> Tensor:
        spikes, slopes = _forward(x, sharp, c, stream, keep=True)
        ctx.save_for_backward(slopes, c)
        ctx.rounds = sharp.shape[1]
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        slopes, c = ctx.saved_tensors
        gx = torch.empty(grad.shape, dtype=grad.dtype)
        launch(kernels.backward, [grad.contiguous(), gx, slopes, c], ctx.rounds, most=BLOCK)
        return gx, None, None, None
