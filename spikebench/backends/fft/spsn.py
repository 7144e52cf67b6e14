"""SPSN as one causal convolution with its impulse response."""

from torch import Tensor

from spikebench.neurons.spsn import SPSN
from spikebench.scan import causal_convolution


def run(neuron: SPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T)."""
    neuron.seed = neuron.seed if seed is None else seed
    return neuron.fire(causal_convolution(x, neuron.impulse(x.shape[0])), neuron.draw(x))
