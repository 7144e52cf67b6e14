"""SDN with its network as one fused pass: what eight channels hold of a step stays in the first-level cache."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import fire
from spikebench.backends.cpu._kernels import sdn as kernels
from spikebench.backends.cpu._runtime.firing import constants
from spikebench.backends.cpu._runtime.threads import accept, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.sdn import SDN

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK, SPIKES = 256, 8192  # series of a block: ten rows of the network's fit into the first-level cache


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that move: x, what is compared, twice, and spikes; in training also g, what is compared, and x's gradient."""
    return size(case) * {"inference": 4, "forward": 4, "train": 7}[case.mode]


def run(neuron: SDN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    y = x if neuron.threshold == 1 else x / neuron.threshold
    kind, c = constants(neuron, x.dtype, threshold=1.0)
    if torch.is_grad_enabled() and y.requires_grad:
        return _Fired.apply(y, neuron, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(y, neuron, c)[0]


def _forward(y: Tensor, neuron: SDN, c: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes like y, and P + y [T, M]."""
    p, spikes = neuron.parts(), torch.empty(y.shape, dtype=y.dtype)
    u = torch.empty_like(rows(y))
    mix = p["mix"] + torch.eye(len(p["mix"]), dtype=y.dtype)
    layers = [(p["window"], p["window_bias"]), (mix, p["mix_bias"]), (p["out"], p["out_bias"])]
    weights = [torch.cat([w, b[:, None]], 1).to(y.dtype).contiguous() for w, b in layers]
    launch(kernels.predict, [y.contiguous(), u, *weights], most=BLOCK)
    launch(fire.forward, [u, spikes, u.new_zeros(len(u), 1), c], most=SPIKES)
    return spikes, u


class _Fired(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, neuron: SDN, c: Tensor, kind: int) -> Tensor:
        spikes, u = _forward(y, neuron, c)
        ctx.save_for_backward(u, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        u, c = ctx.saved_tensors
        e = torch.empty(grad.shape, dtype=grad.dtype)
        launch(fire.backward, [grad.contiguous(), u, e, u.new_zeros(len(u), 1), c], ctx.kind, most=SPIKES)
        return e, None, None, None
