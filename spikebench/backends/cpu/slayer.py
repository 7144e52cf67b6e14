"""SLAYER as one fused pass over time each way: forward as exodus, back past the reset."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.backends.cpu import exodus
from spikebench.neurons.slayer import SLAYER

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU, and the backward pass step by step."""
    return exodus.refuses(case)


def moves(case: "Case") -> int:
    """Bytes that must move, as many as of exodus."""
    return exodus.moves(case)


def run(neuron: SLAYER, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    return exodus.fused(neuron, x, through_reset=False)
