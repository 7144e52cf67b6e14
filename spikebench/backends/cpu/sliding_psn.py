"""Sliding PSN as one fused pass over time forward and one back."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.backends.cpu._runtime import windows
from spikebench.backends.cpu._runtime.threads import refuse
from spikebench.neurons.sliding_psn import SlidingPSN

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move, as many as of any window."""
    return windows.moves(case, case.options["k"] + 1)


def run(neuron: SlidingPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    return windows.windowed(neuron, x, neuron.weight[None], neuron.bias.view(1, 1))
