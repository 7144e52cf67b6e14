"""LIF as one fused pass over time forward and one backward, each thread with its own neurons."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from spikebench.backend import having, neighbour, only
from spikebench.backends.cpu._kernels import lif as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

CAN: dict[str, tuple[Any, ...]] = {"shared": (True,), "bounded": (False,), "refractory": (0,)}
BLOCK = {"save": 8192, "recompute": 2048}  # series; the membranes of 32 steps stay in the second-level cache


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return only(case, **CAN) or refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph what the plan keeps; in training g, x's gradient and what was kept, or x again."""
    again = case.parsed.all_how["plan"] == "recompute"
    checkpoints = 2 * -(-case.T // kernels.STRIDE) * size(case) // case.T
    graph = checkpoints if again else size(case)
    scaled = case.options["learn_decay"] and case.options["input_scale"] == "1-decay"  # its gradient needs x once more
    back = 3 * size(case) + (checkpoints if again else size(case) if scaled else 0)
    return 2 * size(case) + {"inference": 0, "forward": graph, "train": graph + back}[case.mode]


def run(neuron: LIF, x: Tensor, seed: int | None = None, *, plan: Literal["save", "recompute"] = "save") -> Tensor:
    """Spikes, shape of x [T, ...]; for backward, "save" keeps every membrane and "recompute" one state in 32."""
    having(neuron, **CAN)
    if plan not in BLOCK:
        raise ValueError(f"no plan {plan!r}; there are {', '.join(BLOCK)}")
    return fused(neuron, x, plan)


def fused(neuron: LIF, x: Tensor, plan: str = "save") -> Tensor:
    """Spikes, shape of x; differentiable by x and by a decay and a threshold that are tensors of one number."""
    accept(x)
    setup = _Setup.of(neuron, x.dtype, plan)
    learned = [p if isinstance(p, Tensor) else None for p in (neuron.decay, neuron.threshold)]
    if torch.is_grad_enabled() and any(p is not None and p.requires_grad for p in (x, *learned)):
        return _Fused.apply(x, *learned, setup)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, setup, keep=False)[0]


@dataclass(frozen=True)
class _Setup:
    """What the kernels need to know of a neuron."""

    constants: Tensor  # [1, COUNT]
    kind: int
    plan: str
    scaled: bool

    @staticmethod
    def of(neuron: LIF, dtype: torch.dtype, plan: str) -> "_Setup":
        decay, threshold = (float(p.detach() if isinstance(p, Tensor) else p) for p in (neuron.decay, neuron.threshold))
        leak = float(
            1 - (neuron.decay.detach() if isinstance(neuron.decay, Tensor) else neuron.decay)
        )  # in its own dtype
        kind, k, inner = shape(neuron.surrogate, neuron.slope)
        strict, soft, scaled = neuron.strict, neuron.reset == "soft", neuron.input_scale == "1-decay"
        c = np.zeros(kernels.CONSTANTS)
        c[kernels.A] = 1.0 if neuron.reset_delay else decay
        c[kernels.B] = decay if neuron.reset_delay else 1.0
        c[kernels.DELAYED], c[kernels.SCALED] = neuron.reset_delay, scaled
        c[kernels.SCALE] = leak if scaled else 1.0
        c[kernels.THRESHOLD] = threshold
        c[kernels.LEVEL] = neighbour(threshold, dtype, up=True) if strict else threshold
        c[kernels.HARD], c[kernels.SOFT] = neuron.reset == "hard", soft
        c[kernels.DROP] = threshold if soft else 0.0
        c[kernels.THROUGH] = not neuron.detach_reset
        c[kernels.SYNAPSE] = -1.0 if neuron.synapse_decay is None else neuron.synapse_decay
        c[kernels.SLOPE], c[kernels.INNER], c[kernels.ONE] = k, inner, 1.0
        return _Setup(constants(c, dtype), kind, plan, scaled)


def _forward(x: Tensor, setup: _Setup, keep: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes like x, and what the plan keeps for backward: membranes [T, M], states [2K, M]; empty if not kept."""
    flat = rows(x)
    steps, series = flat.shape
    save, checkpointed = keep and setup.plan == "save", keep and setup.plan == "recompute"
    spikes = torch.empty(x.shape, dtype=x.dtype)
    u = flat.new_empty(steps if save else 0, series)
    checkpoints = flat.new_empty(2 * -(-steps // kernels.STRIDE) if checkpointed else 0, series)
    launch(kernels.forward, [flat, spikes, u, checkpoints, setup.constants], most=BLOCK["save"])
    return spikes, u, checkpoints


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, decay: Tensor | None, threshold: Tensor | None, setup: _Setup) -> Tensor:
        spikes, u, checkpoints = _forward(x, setup, keep=True)
        wants_x = setup.plan == "recompute" or (decay is not None and setup.scaled)
        ctx.save_for_backward(u, checkpoints, x if wants_x else x.new_empty(0, u.shape[1]), decay, threshold)
        ctx.setup = setup
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        u, checkpoints, x, decay, threshold = ctx.saved_tensors
        setup: _Setup = ctx.setup
        needs_x, needs_decay, needs_threshold, _ = ctx.needs_input_grad
        series = u.shape[1]
        gx = torch.empty(grad.shape if needs_x else (0, series), dtype=grad.dtype)
        learned = torch.zeros(2 if needs_decay or needs_threshold else 0, series, dtype=torch.float64)
        arrays = [grad.contiguous(), gx, u, x.contiguous(), checkpoints, learned, setup.constants]
        launch(kernels.backward, arrays, setup.kind, most=BLOCK[setup.plan])
        sums = learned.numpy().sum(1)  # numpy's sum does not depend on the number of threads
        by_decay = torch.full_like(decay, sums[0]) if needs_decay else None
        by_threshold = torch.full_like(threshold, sums[1]) if needs_threshold else None
        return gx if needs_x else None, by_decay, by_threshold, None
