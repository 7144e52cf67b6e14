"""Masked PSN: as psn, with its masked matrix."""

from typing import TYPE_CHECKING, Literal

from torch import Tensor

from spikebench.backends.triton import psn
from spikebench.neurons.masked_psn import MaskedPSN

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return psn.refuses(case)


def operations(case: "Case") -> int:
    """Multiplications and additions, as of psn."""
    return psn.operations(case)


def run(neuron: MaskedPSN, x: Tensor, seed: int | None = None, *, spikes: Literal["same", "uint8"] = "same") -> Tensor:
    """Spikes [T, B, N]; options as in psn."""
    return psn.run(neuron, x, spikes=spikes)
