"""SPSN as one causal convolution with its impulse response."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.neurons.spsn import SPSN
from spikebench.scan import causal_convolution

if TYPE_CHECKING:
    from spikebench.case import Case


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no FFT in half precision but for a few sizes on a GPU."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch has no FFT in {case.dtype}"


def run(neuron: SPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T)."""
    return neuron.fire(causal_convolution(x, neuron.impulse(x.shape[0])), neuron.draw(x, seed))
