"""ParaLIF as one fused pass over time forward and one back."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.cpu._kernels import para_lif as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime.threads import accept, constants, launch, refuse, refuse_second_order, rows, size
from spikebench.neurons.para_lif import ParaLIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

BLOCK = 8192  # series
LEARNING = ("recurrent", "learn_tau", "learn_threshold", "heterogeneous")
# scale, shift and floor of f; no value comes down to a floor of -2
NORMS = {"": (0.0, 0.0, -2.0), "s": (1.0, 0.0, -2.0), "t": (2.0, 1.0, -2.0), "tr": (2.0, 1.0, 0.0)}


def refuses(case: "Case") -> str | None:
    """float32 and float64 on a CPU, constants that are the same for all neurons and do not learn, not the mode sd."""
    plain = not any(case.options[name] for name in LEARNING)
    return _beyond(case.options["mode"], plain) or refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph the membranes too; in training also g, the membranes again and x's gradient."""
    return size(case) * {"inference": 2, "forward": 3, "train": 6}[case.mode]


def run(neuron: ParaLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    accept(x)
    if reason := _beyond(neuron.mode, neuron.plain):
        raise Refused(reason)
    kind, c = _constants(neuron, x.dtype)
    if torch.is_grad_enabled() and x.requires_grad:
        return _Fused.apply(x, c, kind)  # pyright: ignore[reportReturnType] # untyped in torch
    return _forward(x, c, keep=False)[0]


def _beyond(mode: str, plain: bool) -> str | None:
    if not plain:
        return f"the cpu backend has no kernel with {', '.join(LEARNING)}; take eager, scan or fft"
    if mode == "sd":  # before its first step m is 0, which is no value of σ
        return "the cpu backend has no kernel for mode sd; take eager, scan or fft"
    return None


def _constants(neuron: ParaLIF, dtype: torch.dtype) -> tuple[int, Tensor]:
    kind, k, inner = shape(neuron.surrogate, neuron.slope)
    syn, mem = (float(d) for d in neuron.decays())
    c = np.zeros(kernels.CONSTANTS)
    c[kernels.MEM], c[kernels.SYN], c[kernels.LEAK], c[kernels.THRESHOLD] = mem, syn, 1 - mem, float(neuron.threshold)
    c[kernels.SLOPE], c[kernels.INNER], c[kernels.ONE] = k, inner, 1.0
    c[kernels.SCALE], c[kernels.SHIFT], c[kernels.FLOOR] = NORMS[neuron.mode[:-1]]
    c[kernels.LEAST], c[kernels.DELTA] = torch.finfo(dtype).tiny, neuron.mode.endswith("d")
    return kind, constants(c, dtype)


def _forward(x: Tensor, c: Tensor, keep: bool) -> tuple[Tensor, Tensor]:
    """Spikes like x, and the membranes m = f(v) [T, M], empty if not kept."""
    spikes, flat = torch.empty(x.shape, dtype=x.dtype), rows(x)
    m = flat.new_empty(flat.shape[0] if keep else 0, flat.shape[1])
    launch(kernels.forward, [flat, spikes, m, c], most=BLOCK)
    return spikes, m


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, c: Tensor, kind: int) -> Tensor:
        spikes, m = _forward(x, c, keep=True)
        ctx.save_for_backward(m, c)
        ctx.kind = kind
        return spikes

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride] # torch leaves the arguments open
        refuse_second_order()
        m, c = ctx.saved_tensors
        gx = torch.empty(grad.shape, dtype=grad.dtype)
        launch(kernels.backward, [grad.contiguous(), gx, m, c], ctx.kind, most=BLOCK)
        return gx, None, None
