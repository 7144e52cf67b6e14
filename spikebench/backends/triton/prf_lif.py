"""The decoupled LIF fused: filter, raised threshold and spikes in one pass, its gradient in one pass back."""

from typing import TYPE_CHECKING, Annotated

import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _passes
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.prf_lif import PRFLIF
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("chunk", "rows")
# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 0), "train": (5, 0)}
KERNELS = {
    "forward": Kernel(reads=(1, 0), writes=(1, 0), work=2.0, cut=False, candidates=_passes.grid(cut=False)),
    "backward": Kernel(reads=(2, 0), writes=(1, 0), work=2.0, cut=True, candidates=_passes.grid()),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _passes.moves(case, MOVES, states=2)


def run(
    neuron: PRFLIF,
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
    """Spikes [T, B, N] in the dtype of x, uint8 where no gradient is wanted, or bits; options as in psu, chunks backward alone."""
    asked = _launch.Options(chunk, block, warps, stages, rows)
    fade = neuron.decay if neuron.accumulation == "decayed" else 1.0
    numbers = (neuron.decay, neuron.threshold * neuron.decay, fade, neuron.threshold, neuron.slope)
    call = _passes.Call(NEURON, numbers, asked, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, x, spikes=spikes)


@triton.jit
def _step(w, a, x, u, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """The filter w, and a, what earlier spikes have left; fma alike in both passes, so that a replay spikes the same."""
    w = tl.fma(k[0] + tl.zeros_like(w), w, x)
    v = tl.fma(tl.zeros_like(w) - k[1], a, w)
    s = (v >= k[3]).to(w.dtype)
    return w, tl.fma(k[2] + 0 * a, a, s), s, derivative(v - k[3], k[4], SURROGATE), s


@triton.jit
def _fade(w, a, k):
    return k[0] * w, k[2] * a


@triton.jit
def _adjoint(W, Q, late, g, slope, link, k, MODE: tl.constexpr):
    W = g * slope + k[0] * W
    return W, Q, late, W


NEURON = _passes.Recurrence("prf_lif", _step, _fade, _adjoint, phases=())
