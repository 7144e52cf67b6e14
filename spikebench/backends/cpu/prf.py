"""PRF as one fused rotation over time forward, and one back that also sums the gradients of what learns."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import prf as kernels
from spikebench.backends.cpu._runtime.firing import Spiking, constants
from spikebench.backends.cpu._runtime.threads import (
    accept,
    by_neuron,
    launch,
    refuse,
    refuse_second_order,
    rows,
    size,
    wide,
)
from spikebench.neurons.prf import PRF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 2048  # series


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph both states too; in training also g, x and the states again and x's gradient."""
    return size(case) * {"inference": 2, "forward": 4, "train": 9}[case.mode]


def run(neuron: PRF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes, shape of x [T, ..., N]."""
    gain, omega = neuron.log_dt.exp(), neuron.log_omega.exp()
    damping, angle = torch.exp(-gain / neuron.tau), gain * omega
    return rotated(neuron, x, torch.stack([damping * angle.cos(), damping * angle.sin(), gain]))


def rotated(neuron: Spiking, x: Tensor, turn: Tensor) -> Tensor:
    """Spikes, shape of x [T, ..., N], of the rotation with rows `turn` [3, N]: cosine, sine and gain, differentiable."""
    accept(x)
    kind, c = constants(neuron, x.dtype)
    if torch.is_grad_enabled() and (x.requires_grad or turn.requires_grad):
        return _Fused.apply(x, turn, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, wide(turn, x), c, keep=False)[0]


def _forward(x: Tensor, turns: Tensor, c: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the states before every step [2T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    states = flat.new_empty(2 * flat.shape[0] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, states, turns, c], most=BLOCK)
    return spikes, states


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, turn: Tensor, c: Tensor, kind: int) -> Tensor:
        turns = wide(turn, x)
        spikes, states = _forward(x, turns, c, keep=True)
        ctx.save_for_backward(x, states, turns, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, states, turns, c = ctx.saved_tensors
        gx, sums = torch.empty(grad.shape, dtype=grad.dtype), torch.zeros(turns.shape, dtype=torch.float64)
        launch(kernels.backward, [grad.contiguous(), gx, x.contiguous(), states, turns, sums, c], ctx.kind, most=BLOCK)
        by_turn = by_neuron(sums, grad) if ctx.needs_input_grad[1] else None
        return gx if ctx.needs_input_grad[0] else None, by_turn, None, None
