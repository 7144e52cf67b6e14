"""Right spikes, the plain straight-through estimator for the authors'."""

from unittest.mock import patch

from torch import Tensor

from spikebench.backends import eager
from spikebench.neurons.spsn import SPSN


def run(neuron: SPSN, x: Tensor, seed: int | None = None) -> Tensor:
    with patch.multiple(neuron, estimator="straight-through"):
        return eager.run(neuron, x, seed)
