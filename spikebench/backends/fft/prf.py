"""PRF as a causal convolution with the real impulse response of every neuron, made at every call because it learns."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.neurons.prf import PRF
from spikebench.numerics.scan import causal_convolution
from spikebench.numerics.surrogate import spike

if TYPE_CHECKING:
    from spikebench.cases.case import Case

SPECTRAL = True  # errors are relative to the largest entry of a series, see gate.py


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no FFT in half precision but for a few sizes on a GPU."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch has no FFT in {case.dtype}"


def run(neuron: PRF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T)."""
    real = causal_convolution(x, neuron.kernel(x.shape[0]))
    return spike(real - neuron.threshold, neuron.surrogate, neuron.slope)
