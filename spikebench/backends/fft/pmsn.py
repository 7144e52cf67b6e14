"""PMSN's compartments as a causal convolution with the response of every neuron, as its authors compute them, but padded."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.neurons.pmsn import PMSN
from spikebench.numerics.scan import causal_convolution

if TYPE_CHECKING:
    from spikebench.cases.case import Case

SPECTRAL = True  # errors are relative to the largest entry of a series, see gate.py


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no FFT in half precision but for a few sizes on a GPU."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch has no FFT in {case.dtype}"


def run(neuron: PMSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T)."""
    return neuron.fire(neuron.filtered(x, lambda z: causal_convolution(z, neuron.kernel(len(z)))))
