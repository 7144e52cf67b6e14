"""EXODUS as one fused pass over time forward, and its implicit gradient as one pass back."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.backends.cpu._kernels import exodus as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.exodus import Exodus

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 8192  # series


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU, and the backward pass step by step."""
    return _not_sequential(case.options["backward"]) or refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph the membranes too; in training also g, the membranes again and x's gradient."""
    scaled = case.options["learn_decay"] and case.options["norm_input"]  # the decay's gradient needs x once more
    return size(case) * {"inference": 2, "forward": 3, "train": 7 if scaled else 6}[case.mode]


def run(neuron: Exodus, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    return fused(neuron, x, through_reset=True)


def fused(neuron: Exodus, x: Tensor, through_reset: bool) -> Tensor:
    """Spikes, shape of x [T, ...]; the gradient goes through the reset or passes it by."""
    accept(x)
    if reason := _not_sequential(neuron.backward):
        raise Refused(reason)
    setup = _Setup.of(neuron, x.dtype, through_reset)
    decay = neuron.decay if isinstance(neuron.decay, nn.Parameter) else None
    if torch.is_grad_enabled() and (x.requires_grad or (decay is not None and decay.requires_grad)):
        return _Fused.apply(x, decay, setup)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, setup, keep=False)[0]


def _not_sequential(backward: str) -> str | None:
    return None if backward == "sequential" else f"the cpu backend computes backward=sequential, not {backward}"


@dataclass(frozen=True)
class _Setup:
    """What the kernels need to know of a neuron."""

    constants: Tensor  # [1, COUNT]
    kind: int
    scaled: bool

    @staticmethod
    def of(neuron: Exodus, dtype: torch.dtype, through_reset: bool) -> "_Setup":
        kind, k, inner = shape(neuron.surrogate, neuron.slope)
        decay = neuron.decay.detach() if isinstance(neuron.decay, Tensor) else neuron.decay
        c = np.zeros(kernels.CONSTANTS)
        c[kernels.DECAY] = float(decay)
        c[kernels.SCALE] = float(1 - decay) if neuron.norm_input else 1.0  # the difference in the decay's own dtype
        c[kernels.SCALED], c[kernels.EARLY] = neuron.norm_input, neuron.decay_early
        c[kernels.THRESHOLD], c[kernels.SUBTRACT] = float(neuron.threshold), neuron.subtract
        c[kernels.LEAST] = -math.inf if neuron.v_min is None else neuron.v_min
        c[kernels.MOST] = math.inf if neuron.max_spikes is None else neuron.max_spikes
        c[kernels.SYNAPSE] = -1.0 if neuron.synapse_decay is None else neuron.synapse_decay
        c[kernels.THROUGH] = neuron.subtract if through_reset else 0.0
        c[kernels.SLOPE], c[kernels.INNER], c[kernels.ONE] = k, inner, 1.0
        return _Setup(constants(c, dtype), kind, neuron.norm_input)


def _forward(x: Tensor, setup: _Setup, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the membranes [T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    u = flat.new_empty(flat.shape[0] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, u, setup.constants], most=BLOCK)
    return spikes, u


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, decay: Tensor | None, setup: _Setup) -> Tensor:
        spikes, u = _forward(x, setup, keep=True)
        wants_x = decay is not None and setup.scaled
        ctx.save_for_backward(u, x if wants_x else x.new_empty(0, u.shape[1]), decay)
        ctx.setup = setup
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        u, x, decay = ctx.saved_tensors
        needs_x, needs_decay, _ = ctx.needs_input_grad
        series = u.shape[1]
        gx = torch.empty(grad.shape if needs_x else (0, series), dtype=grad.dtype)
        learned = torch.zeros(1 if needs_decay else 0, series, dtype=torch.float64)
        arrays = [grad.contiguous(), gx, u, x.contiguous(), learned, ctx.setup.constants]
        launch(kernels.backward, arrays, ctx.setup.kind, most=BLOCK)
        by_decay = torch.full_like(decay, learned.numpy().sum()) if needs_decay else None
        return gx if needs_x else None, by_decay, None
