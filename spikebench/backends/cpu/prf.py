"""PRF as one fused rotation over time forward, and one back that also sums the gradients of what learns."""

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import prf as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime.threads import accept, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.prf import PRF
from spikebench.numerics.surrogate import Surrogate

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


class Spiking(Protocol):
    """What is needed of a neuron for its spikes."""

    threshold: Any
    surrogate: Surrogate
    slope: Any


def rotated(neuron: Spiking, x: Tensor, turn: Tensor) -> Tensor:
    """Spikes, shape of x [T, ..., N], of the rotation with rows `turn` [3, N]: cosine, sine and gain, differentiable."""
    accept(x)
    kind, c = _constants(neuron, x.dtype)
    if torch.is_grad_enabled() and (x.requires_grad or turn.requires_grad):
        return _Fused.apply(x, turn, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, _wide(turn, x), c, keep=False)[0]


def _constants(neuron: Spiking, dtype: torch.dtype) -> tuple[int, Tensor]:
    kind, k, inner = shape(neuron.surrogate, neuron.slope)
    c = torch.zeros(kernels.CONSTANTS, dtype=torch.float64)
    c[kernels.THRESHOLD], c[kernels.SLOPE], c[kernels.INNER], c[kernels.ONE] = float(neuron.threshold), k, inner, 1.0
    return kind, c.to(dtype)[None]


def _wide(turn: Tensor, x: Tensor) -> Tensor:
    """What is [3, N] by neuron, by series: [3, M]."""
    batch = x.shape[1:-1].numel()
    return turn.detach().to(x.dtype)[:, None].expand(-1, batch, -1).reshape(kernels.ROWS, -1).contiguous()


def _forward(x: Tensor, turns: Tensor, c: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the states before every step [2T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    states = flat.new_empty(2 * flat.shape[0] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, rows(spikes), states, turns, c], most=BLOCK)
    return spikes, states


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, turn: Tensor, c: Tensor, kind: int) -> Tensor:
        turns = _wide(turn, x)
        spikes, states = _forward(x, turns, c, keep=True)
        ctx.save_for_backward(x, states, turns, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, states, turns, c = ctx.saved_tensors
        gx, sums = torch.empty(grad.shape, dtype=grad.dtype), torch.zeros(turns.shape, dtype=torch.float64)
        launch(kernels.backward, [rows(grad), rows(gx), rows(x), states, turns, sums, c], ctx.kind, most=BLOCK)
        by_turn = sums.view(kernels.ROWS, -1, grad.shape[-1]).sum(1).to(grad.dtype) if ctx.needs_input_grad[1] else None
        return gx if ctx.needs_input_grad[0] else None, by_turn, None, None
