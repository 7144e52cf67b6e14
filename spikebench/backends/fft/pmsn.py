"""PMSN's compartments as a causal convolution with the response of every neuron, as its authors compute them, but padded."""

from torch import Tensor

from spikebench.neurons.pmsn import PMSN
from spikebench.numerics.scan import causal_convolution

SPECTRAL = True  # errors are relative to the largest entry of a series, see gate.py


def run(neuron: PMSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T), in double precision as the definition's."""
    return neuron.fire(neuron.filtered(x, lambda z: causal_convolution(z, neuron.kernel(len(z))))).to(x.dtype)
