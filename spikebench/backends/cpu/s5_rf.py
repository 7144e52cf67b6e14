"""S5-RF as one fused rotation over time forward, and one back that also sums the gradients of what learns."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikebench.backend import having, only
from spikebench.backends.cpu import prf
from spikebench.backends.cpu._runtime.threads import refuse
from spikebench.neurons.s5_rf import S5RF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

CAN = {"discretization": ("exact",), "activation": ("cartesian",)}  # a complex gain is another rotation


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU, and a real gain."""
    return only(case, **CAN) or refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return prf.moves(case)


def run(neuron: S5RF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes, shape of x [T, ..., N]."""
    having(neuron, **CAN)
    decay, gain = neuron.discrete()
    return prf.rotated(neuron, x, torch.stack([decay.real, decay.imag, gain.real]).to(x.dtype))
