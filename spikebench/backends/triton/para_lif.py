"""ParaLIF fused: both filters, the normalisation and the spikes in one pass, its gradient in one pass back."""

from typing import TYPE_CHECKING, Annotated

import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import _launch, _passes
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._recurrence import cascade, cascaded
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import derivative, logistic
from spikebench.neurons.para_lif import ParaLIF
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("chunk", "rows")
# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 0), "train": (5, 0)}
LEARNING = ("recurrent", "learn_tau", "learn_threshold", "heterogeneous")
BEYOND = f"the triton backend has no kernel with {', '.join(LEARNING)}; take eager, scan or fft"
KERNELS = {
    "forward": Kernel(reads=(1, 0), writes=(1, 0), work=2.0, cut=True, candidates=_passes.grid(where_many=64)),
    "backward": Kernel(reads=(2, 0), writes=(1, 0), work=2.0, cut=True, candidates=_passes.grid()),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    if any(case.options[name] for name in LEARNING):
        return BEYOND
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _passes.moves(case, MOVES, states=2)


def run(
    neuron: ParaLIF,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Spikes = "same",
    block: Natural = 0,
    warps: Annotated[int, "[0, 32]"] = 0,
    stages: Natural = 0,
    chunk: Natural | None = None,
    rows: Natural = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, uint8 where no gradient is wanted, or bits; further options as in psu."""
    if not neuron.plain:
        raise Refused(BEYOND)
    asked = _launch.Options(chunk, block, warps, stages, rows)
    syn, mem = neuron.decays()
    numbers = (syn, mem, 1 - mem, neuron.threshold, neuron.slope)
    late = neuron.mode.endswith("d")
    call = _passes.Call(NEURON, numbers, asked, mode=neuron.mode, surrogate=neuron.surrogate, late=late)
    return fused(_passes.PASSES, call, x, spikes=spikes)


@triton.jit
def _normalised(v, MODE: tl.constexpr):
    if MODE == "st" or MODE == "sd":
        return logistic(v)
    elif MODE == "tt" or MODE == "td":
        return 2 * logistic(2 * v) - 1
    elif MODE == "trt" or MODE == "trd":
        m = 2 * logistic(2 * v) - 1
        return tl.where(m < 0, 0, m)
    else:
        tl.static_assert(MODE == "t" or MODE == "d", "no such mode")
        return v


@triton.jit
def _step(i, v, x, u, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """Both filters, the comparison, the surrogate's slope, and the slope of the normalisation."""
    before = v
    i, v = cascade(i, v, x, k)
    now = _normalised(v, MODE)
    above = now - k[3]
    level = now
    if MODE == "d" or MODE == "sd" or MODE == "td" or MODE == "trd":
        level = now - tl.where(t > 0, _normalised(before, MODE), 0)
        above = level - k[3]
    link = tl.full([], 1, v.dtype)
    if MODE == "st" or MODE == "sd":
        link = now * (1 - now)
    elif MODE == "tt" or MODE == "td":
        link = 1 - now * now
    elif MODE == "trt" or MODE == "trd":
        link = tl.where(v > 0, 1 - now * now, 0)
    return i, v, (level > k[3]).to(v.dtype), derivative(above, k[4], SURROGATE), link


@triton.jit
def _fade(i, v, k):
    return cascade(i, v, 0.0, k)


@triton.jit
def _adjoint(V, X, late, g, slope, link, k, MODE: tl.constexpr):
    e = g * slope
    by_level = e
    if MODE == "d" or MODE == "sd" or MODE == "td" or MODE == "trd":
        by_level = e - late
    V, X = cascaded(V, X, by_level * link, k)
    return V, X, e, X


NEURON = _passes.Recurrence("para_lif", _step, _fade, _adjoint)
