"""A loop that takes x[t], as published code often does. Each backward step fills a tensor [T, B, N] with zeros, so time grows as T²."""

import torch
from torch import Tensor

from spikebench.neuron import SteppedNeuron

STEPPED_ONLY = True
SECONDS_A_STEP = 4.5e-4
LONGEST_T = 2000
MARKER = "s"
DASHES = (1, 1.5)


def run(neuron: SteppedNeuron, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; the same operations as the definition but for the indexing."""
    state, spikes = neuron.initial(x[0]), []
    for t in range(x.shape[0]):
        s, _, state = neuron.step(x[t], state)
        spikes.append(s)
    return torch.stack(spikes)
