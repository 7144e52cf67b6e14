"""The level that decides is off by a factor: the threshold, or the uniforms."""

from unittest.mock import patch

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron, StochasticNeuron


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, factor: float = 1.00001) -> Tensor:
    if isinstance(neuron, StochasticNeuron):
        out = neuron(x, neuron.draw(x) * factor)
        return out[0] if isinstance(out, tuple) else out
    with patch.multiple(neuron, threshold=neuron.threshold * factor):
        return eager.run(neuron, x, seed)
