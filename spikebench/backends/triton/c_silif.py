"""C-SiLIF fused: rotation, reset and spikes in one pass, and one pass back that also sums the gradients of what learns."""

from typing import TYPE_CHECKING, Annotated

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _passes
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._recurrence import rotated
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.c_silif import CSiLIF
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 0), "train": (5, 0)}
KERNELS = {
    "forward": Kernel(reads=(1, 0), writes=(1, 0), work=3.0, cut=False, candidates=_passes.grid(cut=False)),
    "backward": Kernel(reads=(2, 0), writes=(1, 0), work=3.0, cut=True, candidates=_passes.grid()),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _passes.moves(case, MOVES, states=2)


def run(
    neuron: CSiLIF,
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
    wide = _launch.wide(x.dtype)
    cos, sin = neuron.turn()
    turn = torch.stack([cos, sin, neuron.b]).to(wide)  # [3, N], torch differentiates it
    asked = _launch.Options(chunk, block, warps, stages, rows)
    numbers = (0.0, 0.0, 0.0, float(neuron.threshold), neuron.slope)  # behind the three of turn
    mode = "detached" if neuron.detach_reset else ""
    call = _passes.Call(NEURON, numbers, asked, mode=mode, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, x, turn, spikes=spikes)


@triton.jit
def _step(r, i, x, u, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """Both parts of the state, the real one after its reset; fma alike in both passes, so that a replay spikes the same."""
    r, i = tl.fma(k[0], r, tl.fma(-k[1], i, k[2] * x)), tl.fma(k[1], r, k[0] * i)
    s = (2 * r >= k[3]).to(r.dtype)
    slope = derivative(2 * r - k[3], k[4], SURROGATE)
    link = tl.full(s.shape, 1, s.dtype)
    if MODE != "detached":
        link -= k[3] * slope
    return r - k[3] / 2 * s, i, s, 2 * slope, link


@triton.jit
def _fade(r, i, k):
    return k[0] * r - k[1] * i, k[1] * r + k[0] * i


@triton.jit
def _adjoint(R, Q, late, g, slope, link, k, MODE: tl.constexpr):
    """R and Q: the gradients of both parts before the reset."""
    R, Q = g * slope + link * (k[0] * R + k[1] * Q), k[0] * Q - k[1] * R
    return R, Q, late, k[2] * R


NEURON = _passes.Recurrence("c_silif", _step, _fade, _adjoint, phases=(), further="per_neuron", sums=rotated)
