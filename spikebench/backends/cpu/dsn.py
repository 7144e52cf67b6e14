"""DSN as a window for its decays, and one fused pass over time for the recurrence and the spikes; and both back."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import gated as kernels
from spikebench.backends.cpu._runtime.depthwise import convolved
from spikebench.backends.cpu._runtime.firing import constants
from spikebench.backends.cpu._runtime.threads import launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.dsn import DSN

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 2048  # series


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that move: x and z of both passes and spikes; for a graph the membranes; in training all that once more, g and gradients."""
    return size(case) * {"inference": 5, "forward": 6, "train": 15}[case.mode]


def run(neuron: DSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ..., N]."""
    z = convolved(x, neuron.weight.flip(0), neuron.bias)
    kind, c = constants(neuron, x.dtype)
    if torch.is_grad_enabled() and (x.requires_grad or z.requires_grad):
        return _Gated.apply(x, z, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, z, c, keep=False)[0]


def _forward(x: Tensor, z: Tensor, c: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the membranes [T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    states = flat.new_empty(len(x) if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, z.contiguous(), spikes, states, c], most=BLOCK)
    return spikes, states


class _Gated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, z: Tensor, c: Tensor, kind: int) -> Tensor:
        spikes, states = _forward(x, z, c, keep=True)
        ctx.save_for_backward(x, z, states, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, z, states, c = ctx.saved_tensors
        gx, gz = (torch.empty(grad.shape, dtype=grad.dtype) for _ in range(2))
        arrays = [grad.contiguous(), gx, gz, x.contiguous(), z.contiguous(), states, c]
        launch(kernels.backward, arrays, ctx.kind, most=BLOCK)
        return gx, gz, None, None
