"""Multiplication-free PSN as one fused window forward and one back; its powers of two are multiplied with, not shifted by."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.backends.cpu._runtime.depthwise import convolved
from spikebench.backends.cpu._runtime.threads import refuse, size
from spikebench.neurons.mul_free_psn import MulFreePSN
from spikebench.numerics.surrogate import spike

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; in training also g, x again and x's gradient."""
    return size(case) * {"inference": 2, "forward": 2, "train": 5}[case.mode]


def run(neuron: MulFreePSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ..., N]."""
    return spike(convolved(x, neuron.shifts(), -neuron.theta, neuron.dilation), neuron.surrogate, neuron.slope)
