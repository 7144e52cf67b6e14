"""Off by one step: spikes come late, or the input does."""

from typing import Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def late(x: Tensor) -> Tensor:
    return torch.cat([torch.zeros_like(x[:1]), x[:-1]])


def run(neuron: Neuron, x: Tensor, seed: int | None = None, *, what: Literal["spikes", "input"] = "spikes") -> Tensor:
    return late(eager.run(neuron, x, seed)) if what == "spikes" else eager.run(neuron, late(x), seed)
