"""Starts from what the call before left, instead of from rest."""

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def run(neuron: Neuron, x: Tensor, seed: int | None = None) -> Tensor:
    left = vars(neuron).get("left", torch.zeros_like(x[:1]))
    vars(neuron)["left"] = x[-1:].detach().clone()
    return eager.run(neuron, torch.cat([x[:1] + left, x[1:]]), seed)
