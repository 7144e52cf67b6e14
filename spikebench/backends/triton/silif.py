"""SiLIF fused: membrane, adaptation and spikes in one pass, and one pass back that also sums the gradients of its rates."""

from typing import TYPE_CHECKING, Annotated

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _passes, c_silif
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.silif import SiLIF
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

KERNELS = c_silif.KERNELS  # both have two states a series, and alike work on them


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return c_silif.refuses(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return c_silif.moves(case)


def run(
    neuron: SiLIF,
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
    rates = torch.stack(neuron.rates()).to(_launch.wide(x.dtype))  # [4, N], torch differentiates it
    asked = _launch.Options(chunk, block, warps, stages, rows)
    numbers = (0.0, 0.0, 0.0, float(neuron.threshold), neuron.slope)  # behind those of rates
    mode = "detached" if neuron.detach_reset else ""
    call = _passes.Call(NEURON, numbers, asked, mode=mode, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, x, rates, spikes=spikes)


@triton.jit
def _before(u, w, k):
    """The spike of the step before, and the adaptation that this step subtracts; alike in both passes and in the sums."""
    s = (u >= k[4]).to(u.dtype)
    return s, tl.fma(k[1], w, tl.fma(k[2], u, k[3] * s))


@triton.jit
def _step(u, w, x, unused, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """The membrane before its reset, and the adaptation; fma alike in both passes, so that a replay spikes the same."""
    s, w = _before(u, w, k)
    u = tl.fma(k[0], tl.fma(-k[4] + 0 * s, s, u), (1 - k[0]) * (x - w))
    return u, w, (u >= k[4]).to(u.dtype), derivative(u - k[4], k[5], SURROGATE), s


@triton.jit
def _fade(u, w, k):
    w = k[1] * w + k[2] * u
    return k[0] * u - (1 - k[0]) * w, w


@triton.jit
def _adjoint(U, W, late, g, slope, unused, k, MODE: tl.constexpr):
    """U and W: the gradients of the membrane before its reset, and of the adaptation."""
    back = k[0] * U + k[2] * W
    D = g
    if MODE != "detached":
        D += k[3] * W - k[0] * k[4] * U
    U = D * slope + back
    W = k[1] * W - (1 - k[0]) * U
    return U, W, late, (1 - k[0]) * U


@triton.jit
def _sums(U, W, u, w, x, k):
    """What a step adds to the gradients of its four rates, from the state before it."""
    s, now = _before(u, w, k)
    return U * (u - k[4] * s - x + now), W * w, W * u, W * s


NEURON = _passes.Recurrence("silif", _step, _fade, _adjoint, phases=(), further="per_neuron", sums=_sums, own=4)
