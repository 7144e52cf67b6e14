"""PSN: its product of matrices by cuBLAS, then the spike, and in the backward pass its derivative, in one kernel each."""

from typing import TYPE_CHECKING, Literal

from torch import Tensor

from spikebench.backends.triton import _launch
from spikebench.backends.triton._spike import spiked
from spikebench.neurons.psn import PSN

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def operations(case: "Case") -> int:
    """Multiplications and additions of its product forward, and in training of the two back."""
    return 2 * case.T**2 * case.B * case.N * (3 if case.mode == "train" else 1)


def run(neuron: PSN, x: Tensor, seed: int | None = None, *, spikes: Literal["same", "uint8"] = "same") -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted."""
    return spiked(neuron.membrane(x), neuron.surrogate, neuron.slope, spikes)
