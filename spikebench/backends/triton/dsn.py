"""DSN: its decays by torch, then recurrence and spikes in one pass over time, and one back that gives the decays' gradient too."""

from typing import TYPE_CHECKING, Annotated

import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _passes
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.dsn import DSN
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (3, 0), "forward": (3, 0), "train": (8, 0)}
KERNELS = {
    "forward": Kernel(
        reads=(2, 0), writes=(1, 0), work=2.0, cut=False, candidates=_passes.grid(cut=False, bytes_ahead=32)
    ),
    "backward": Kernel(reads=(3, 0), writes=(2, 0), work=3.0, cut=True, candidates=_passes.grid(bytes_ahead=32)),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move in the kernels; what torch moves for the decays is not counted."""
    return _passes.moves(case, MOVES, states=2, tile=8)  # two inputs are fetched ahead


def run(
    neuron: DSN,
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
    call = _passes.Call(NEURON, (float(neuron.threshold), neuron.slope), asked, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, x, neuron.decays(x), spikes=spikes)


@triton.jit
def _step(h, unused, x, decay, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """The state, and what ADJOINT wants of the step: its decay, and what the decay scales."""
    moved = h - x
    h = decay * h + (1 - decay) * x
    return h, unused, (h >= k[0]).to(h.dtype), derivative(h - k[0], k[1], SURROGATE), (decay, moved)


@triton.jit
def _fade(h, unused, k):
    return h, unused


@triton.jit
def _adjoint(later, unused, late, g, slope, link, k, MODE: tl.constexpr):
    """later: the decay of the step after times the gradient of its state."""
    e = g * slope + later
    return link[0] * e, unused, link[1] * e, (1 - link[0]) * e


NEURON = _passes.Recurrence("dsn", _step, _fade, _adjoint, phases=(), further="second")
