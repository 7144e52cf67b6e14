"""Compares with > where >= was asked for, or the other way round."""

from unittest.mock import patch

from torch import Tensor

from spikebench.backends import eager
from spikebench.neurons.lif import LIF


def run(neuron: LIF, x: Tensor, seed: int | None = None) -> Tensor:
    with patch.multiple(neuron, strict=not neuron.strict):
        return eager.run(neuron, x, seed)
