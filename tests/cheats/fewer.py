"""Gives fewer spikes when it is run again: from the third call on the same input on, the last spike of each series is lost."""

import hashlib
from collections import Counter

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

SEEN: Counter[str] = Counter()


def run(neuron: Neuron, x: Tensor, seed: int | None = None) -> Tensor:
    key = hashlib.sha256(x.detach().contiguous().numpy().tobytes()).hexdigest()
    SEEN[key] += 1
    spikes = eager.run(neuron, x, seed)
    if SEEN[key] < 3:
        return spikes
    later = spikes.detach().flip(0).cumsum(0).flip(0)  # spikes from here on
    return spikes * torch.where((spikes.detach() > 0) & (later == spikes.detach()), 0.0, 1.0)
