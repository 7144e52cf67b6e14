"""SpikeSampler fused: all pairs of the state, the random numbers and the spikes in one pass over time."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.cpu._kernels import spike_sampler as kernels
from spikebench.backends.cpu._runtime.threads import accept, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.spike_sampler import SpikeSampler
from spikebench.numerics.philox import MASK

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 1024  # series


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU, and a diagonal state."""
    return _not_diagonal(case.options["ssm"]) or refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph y too; in training also g, y and x again, x's gradient and the totals by series."""
    totals = (2 * case.options["state"] + 3) * 8 * case.B * case.N
    train = 7 * size(case) + totals
    return {"inference": 2 * size(case), "forward": 3 * size(case), "train": train}[case.mode]


def run(neuron: SpikeSampler, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, ..., N] for x of that shape."""
    accept(x)
    if reason := _not_diagonal(neuron.ssm):
        raise Refused(reason)
    key = neuron.seed if seed is None else seed
    stream = (key & MASK, (key >> 32) & MASK, neuron.site & MASK, neuron.next_call() & MASK)
    decay, weight = neuron.discrete()
    filters = torch.cat([decay.real, decay.imag, 2 * weight.real, 2 * weight.imag]).to(x.dtype)  # [4·P, N]
    linear = torch.stack([neuron.d, neuron.gain, neuron.bias]).to(x.dtype)  # [3, N]
    if torch.is_grad_enabled() and (x.requires_grad or filters.requires_grad or linear.requires_grad):
        return _Fused.apply(x, filters, linear, stream)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, filters, linear, stream, keep=False)[0]


def _not_diagonal(ssm: str) -> str | None:
    return None if ssm == "s4d" else f"the cpu backend computes ssm=s4d; the state of ssm={ssm} is not diagonal"


def _forward(x: Tensor, filters: Tensor, linear: Tensor, stream: tuple[int, ...], keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and y [T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    y = flat.new_empty(flat.shape[0] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, y, filters.detach(), linear.detach()], *stream, most=BLOCK)
    return spikes, y


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, filters: Tensor, linear: Tensor, stream: tuple[int, ...]) -> Tensor:
        spikes, y = _forward(x, filters, linear, stream, keep=True)
        ctx.save_for_backward(x, y, filters, linear)
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, y, filters, linear = ctx.saved_tensors
        needs_x, needs_filters, needs_linear, _ = ctx.needs_input_grad
        series, learns = y.shape[1], needs_filters or needs_linear
        gx = torch.empty(grad.shape if needs_x else (0, series), dtype=grad.dtype)
        totals = torch.zeros(len(filters) + 3 if learns else 0, series, dtype=torch.float64)
        launch(kernels.backward, [grad.contiguous(), gx, y, x.contiguous(), totals, filters, linear], most=BLOCK)
        if not learns:
            return gx, None, None, None
        by_filters, by_linear = _chain(totals, filters)
        return gx if needs_x else None, by_filters.to(x.dtype), by_linear.to(x.dtype), None


def _chain(totals: Tensor, filters: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of filters [4·P, N] and linear [3, N] from totals [4·P + 3, M]."""
    apart = totals.view(len(totals), -1, filters.shape[1])
    sums = torch.from_numpy(apart.numpy().sum(1))  # numpy's sum does not depend on the number of threads
    by_wr, by_wi, kr, ki, by_linear = sums.split([len(filters) // 4] * 4 + [3])
    wr, wi = filters.double().chunk(4)[2:]
    return torch.cat([wr * kr - wi * ki, -(wr * ki + wi * kr), by_wr, -by_wi]), by_linear
