"""No cheat: the definition, put through the same door. The gate must let it pass."""

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def run(neuron: Neuron, x: Tensor, seed: int | None = None) -> Tensor:
    return eager.run(neuron, x, seed)
