"""SLAYER as one fused pass over time each way: forward as exodus, back past the reset."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.backends.cpu import exodus
from spikebench.neurons.slayer import SLAYER

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """float32 and float64 on a CPU, backward in sequence only."""
    return exodus.refuses(case)


def moves(case: "Case") -> int:
    """Bytes, as of exodus."""
    return exodus.moves(case)


def run(neuron: SLAYER, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes, shape of x [T, ...]."""
    return exodus.fused(neuron, x, through_reset=False)
