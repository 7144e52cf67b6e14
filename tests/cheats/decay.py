"""Every decay is off by a factor."""

from unittest.mock import patch

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

DECAYS = ("decay", "mem_decay", "syn_decay")


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, factor: float = 0.9) -> Tensor:
    wrong = {key: getattr(neuron, key) * factor for key in DECAYS if hasattr(neuron, key)}
    with patch.multiple(neuron, **wrong):
        return eager.run(neuron, x, seed)
