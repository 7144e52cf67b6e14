"""PLIF fused, with one learned rate or one of every neuron: a pass over time, and one back that also sums the rates' gradients."""

from typing import TYPE_CHECKING, Annotated

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _passes
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.plif import PLIF
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 0), "train": (5, 0)}
KERNELS = {
    "forward": Kernel(reads=(1, 0), writes=(1, 0), work=2.0, cut=False, candidates=_passes.grid(cut=False)),
    "backward": Kernel(reads=(2, 0), writes=(1, 0), work=3.0, cut=True, candidates=_passes.grid()),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _passes.moves(case, MOVES, states=2)


def run(
    neuron: PLIF,
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
    rate = torch.sigmoid(neuron.w.to(_launch.wide(x.dtype)))
    gain = rate if neuron.decay_input else torch.ones_like(rate)
    rates = torch.stack([1 - rate, gain, torch.zeros_like(rate)])  # torch differentiates it
    rates = rates.view(3, -1).expand(3, x.shape[-1]).contiguous()
    asked = _launch.Options(chunk, block, warps, stages, rows)
    numbers = (0.0, 0.0, 0.0, float(neuron.threshold), neuron.slope)  # behind the three of rates
    mode = f"{neuron.reset}, detached" if neuron.detach_reset else neuron.reset
    call = _passes.Call(NEURON, numbers, asked, mode=mode, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, x, rates, spikes=spikes)


@triton.jit
def _step(v, unused, x, u, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """The membrane after its reset, and dv/du; fma alike in both passes, so that a replay spikes the same."""
    u = tl.fma(k[0], v, k[1] * x)
    s = (u >= k[3]).to(v.dtype)
    slope = derivative(u - k[3], k[4], SURROGATE)
    if MODE == "hard" or MODE == "hard, detached":
        v, link = u * (1 - s), 1 - s
        by_spike = u
    else:
        tl.static_assert(MODE == "soft" or MODE == "soft, detached", "no such reset")
        v, link = u - k[3] * s, tl.full(s.shape, 1, s.dtype)
        by_spike = k[3]
    if MODE == "hard" or MODE == "soft":
        link -= by_spike * slope
    return v, unused, s, slope, link


@triton.jit
def _fade(v, unused, k):
    return k[0] * v, unused


@triton.jit
def _adjoint(V, U, late, g, slope, link, k, MODE: tl.constexpr):
    """V: dL/dv of the step before; U: dL/du of this one."""
    U = g * slope + link * V
    return k[0] * U, U, late, k[1] * U


@triton.jit
def _sums(V, U, v, unused, x, k):
    """What a step adds to the gradients of both rates, from the state before it."""
    return U * v, U * x, 0 * U


NEURON = _passes.Recurrence("plif", _step, _fade, _adjoint, phases=(), further="per_neuron", sums=_sums)
