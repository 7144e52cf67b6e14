"""Neurons with one or two linear states that spikes feed, as one fused pass over time forward and one back."""

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import two_state as kernels
from spikebench.backends.cpu._runtime.firing import Spiking, constants
from spikebench.backends.cpu._runtime.threads import accept, by_neuron, launch, refuse_second_order, rows, size, wide

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 2048  # series


class Resetting(Spiking, Protocol):
    """What is needed of a neuron whose spikes reset it."""

    detach_reset: bool


class System(NamedTuple):
    """The rows A to H of `_kernels/two_state.py`, each [N]; without B there is one state."""

    a: Tensor
    c: Tensor
    d: Tensor
    b: Tensor | None = None
    e: Tensor | None = None
    f: Tensor | None = None
    g: Tensor | None = None
    h: Tensor | None = None

    def stacked(self) -> Tensor:
        """All rows [8, N], with the gradient of each."""
        given = (self.a, self.b, self.c, self.d, self.e, self.f, self.g, self.h)
        return torch.stack([torch.zeros_like(self.a) if row is None else row for row in given])


def moves(case: "Case", states: int) -> int:
    """Bytes that must move: x and spikes; for a graph the states too; in training also g, x and the states again and x's gradient."""
    return size(case) * {"inference": 2, "forward": 2 + states, "train": 5 + 2 * states}[case.mode]


def fused(neuron: Resetting, x: Tensor, system: System, hard: bool = False) -> Tensor:
    """Spikes, shape of x [T, ..., N]; differentiable by x and by the rows of the system."""
    accept(x)
    by, pair = system.stacked(), system.b is not None
    kind, c = constants(neuron, x.dtype)
    c = torch.cat([c, c.new_tensor([[hard, not neuron.detach_reset]])], 1)
    if torch.is_grad_enabled() and (x.requires_grad or by.requires_grad):
        return _Fused.apply(x, by, c, kind, pair)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, wide(by, x), c, pair, keep=False)[0]


def _forward(x: Tensor, by: Tensor, c: Tensor, pair: bool, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the states [T + 1, M] of p, and after these [T, M] of q; empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    steps, series = flat.shape
    states = flat.new_empty((steps + 1 + (steps if pair else 0)) if keep else 0, series)
    launch(kernels.forward, [flat, rows(spikes), states, by, c], int(pair), most=BLOCK)
    return spikes, states


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, by: Tensor, c: Tensor, kind: int, pair: bool) -> Tensor:
        rates = wide(by, x)
        spikes, states = _forward(x, rates, c, pair, keep=True)
        ctx.save_for_backward(x, states, rates, c)
        ctx.kind, ctx.pair = kind, pair
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, states, by, c = ctx.saved_tensors
        gx, sums = torch.empty(grad.shape, dtype=grad.dtype), torch.zeros(by.shape, dtype=torch.float64)
        arrays = [rows(grad), rows(gx), rows(x), states, by, sums, c]
        launch(kernels.backward, arrays, ctx.kind, int(ctx.pair), most=BLOCK)
        by_rows = by_neuron(sums, grad) if ctx.needs_input_grad[1] else None
        return gx if ctx.needs_input_grad[0] else None, by_rows, None, None, None
