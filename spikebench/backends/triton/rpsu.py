"""RPSU: its product by cuBLAS, then probabilities, both filters and the spike in one pass over time, or over chunks."""

from typing import TYPE_CHECKING, Annotated

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import constant, only
from spikebench.backends.triton import _launch, _passes, psn
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import derivative, logistic
from spikebench.neurons.rpsu import RPSU
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("rows",)
KERNELS = {
    "forward": Kernel(reads=(2, 0), writes=(1, 0), work=3.0, cut=True, candidates=_passes.grid(bytes_ahead=32)),
    "backward": Kernel(reads=(3, 0), writes=(2, 0), work=3.0, cut=True, candidates=_passes.grid(bytes_ahead=32)),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return only(case, learn_slope=(False,)) or psn.refuses(case)


def operations(case: "Case") -> int:
    """Multiplications and additions, as of psn."""
    return psn.operations(case)


def run(
    neuron: RPSU,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Spikes = "same",
    chunk: Natural | None = None,
    block: Natural = 0,
    warps: Annotated[int, "[0, 32]"] = 0,
    stages: Natural = 0,
    rows: Natural = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, uint8 where no gradient is wanted, or bits; further options as in psu."""
    asked = _launch.Options(chunk, block, warps, stages, rows)
    flat = x.reshape(len(x), -1)
    q = torch.addmm(neuron.bias, neuron.weight.tril(), flat)
    numbers = (neuron.decay, neuron.gain, float(neuron.threshold), constant(neuron.slope, "slope"))
    call = _passes.Call(NEURON, numbers, asked, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, flat.view(x.shape), q.view(x.shape), spikes=spikes)


@triton.jit
def _step(y, unused, x, q, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """y: decay·(v − p) of the step before."""
    v = y + k[1] * x
    p = logistic(q)
    return k[0] * (v - p), unused, (v >= k[2]).to(v.dtype), derivative(v - k[2], k[3], SURROGATE), p * (1 - p)


@triton.jit
def _fade(y, unused, k):
    return k[0] * y, unused


@triton.jit
def _adjoint(later, unused, late, g, slope, link, k, MODE: tl.constexpr):
    """later: decay·E of the step after."""
    E = g * slope + later
    return k[0] * E, unused, -later * link, k[1] * E


NEURON = _passes.Recurrence("rpsu", _step, _fade, _adjoint, further="second")
