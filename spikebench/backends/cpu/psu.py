"""PSU as one fused pass over time, both filters, the probability and the spike; and one back."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from spikebench.backend import Refused, constant, only
from spikebench.backends.cpu._kernels import psu as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.psu import PSU
from spikebench.numerics.surrogate import Surrogate

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 2048  # series; what backward computes again of 16 steps stays in the second-level cache


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU, and the form of recurrences."""
    return only(case, learn_slope=(False,)) or _not_scan(case.options["form"]) or refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph the checkpoints; in training also x and the checkpoints again, g, x's gradient."""
    checkpoints = 2 * -(-case.T // kernels.STRIDE) * size(case) // case.T
    return (
        size(case) * {"inference": 2, "forward": 2, "train": 5}[case.mode]
        + checkpoints * {"inference": 0, "forward": 1, "train": 2}[case.mode]
    )


def run(neuron: PSU, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    if reason := _not_scan(neuron.form):
        raise Refused(reason)
    theta = float(neuron.threshold)
    parts = Parts(neuron.decay, neuron.gain, neuron.decay, theta, theta)
    return fused(x, parts, neuron.surrogate, constant(neuron.slope, "slope"))


class Parts(NamedTuple):
    """The constants of the pass, see `_kernels/psu.py`; `gain` is its rest."""

    leak: float
    gain: float
    decay: float
    reset: float
    threshold: float


def fused(x: Tensor, parts: Parts, surrogate: Surrogate, slope: float) -> Tensor:
    """Spikes of the pass over x [T, ...], same shape; differentiable by x."""
    kind, k, inner = shape(surrogate, slope)
    c = np.zeros(kernels.CONSTANTS)
    c[kernels.LEAK], c[kernels.REST], c[kernels.DECAY], c[kernels.RESET], c[kernels.THRESHOLD] = parts
    c[kernels.SLOPE], c[kernels.INNER], c[kernels.ONE] = k, inner, 1.0
    row = constants(c, x.dtype)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Fused.apply(x, row, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, row, keep=False)[0]


def _not_scan(form: str) -> str | None:
    return None if form == "scan" else f"the cpu backend computes form=scan; form={form} is a product of matrices"


def _forward(x: Tensor, c: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the states every STRIDE steps [2K, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    checkpoints = flat.new_empty(2 * -(-flat.shape[0] // kernels.STRIDE) if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, checkpoints, c], most=BLOCK)
    return spikes, checkpoints


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, c: Tensor, kind: int) -> Tensor:
        spikes, checkpoints = _forward(x, c, keep=True)
        ctx.save_for_backward(x, checkpoints, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        x, checkpoints, c = ctx.saved_tensors
        gx = torch.empty(grad.shape, dtype=grad.dtype)
        launch(kernels.backward, [grad.contiguous(), gx, x.contiguous(), checkpoints, c], ctx.kind, most=BLOCK)
        return gx, None, None
