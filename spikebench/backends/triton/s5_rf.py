"""S5-RF fused: PRF's kernels, which turn and damp both parts of the state, with S5-RF's parameters."""

from typing import TYPE_CHECKING, Annotated

import torch
from torch import Tensor

from spikebench.backend import having, only
from spikebench.backends.triton import _launch, _passes, prf
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.neurons.s5_rf import S5RF
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

CAN = {
    "discretization": ("exact",),
    "activation": ("cartesian",),
}  # the kernels have a real gain, and compare the real part


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return only(case, **CAN) or prf.refuses(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return prf.moves(case)


def run(
    neuron: S5RF,
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
    having(neuron, **CAN)
    decay, gain = neuron.discrete()
    turn = torch.stack([decay.real, decay.imag, gain.real]).to(_launch.wide(x.dtype))  # [3, N], torch differentiates it
    asked = _launch.Options(chunk, block, warps, stages, rows)
    numbers = (0.0, 0.0, 0.0, float(neuron.threshold), neuron.slope)  # behind the three of turn
    call = _passes.Call(prf.NEURON, numbers, asked, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, x, turn, spikes=spikes)
