"""Resets, where the neuron has no reset."""

import torch
from torch import Tensor

from spikebench.neurons.spsn import SPSN


def run(neuron: SPSN, x: Tensor, seed: int | None = None) -> Tensor:
    current, v, spikes = torch.zeros_like(x[0]), torch.zeros_like(x[0]), []
    for x_t, uniforms in zip(x.unbind(0), neuron.draw(x).unbind(0), strict=True):
        current = neuron.syn_decay * current + x_t
        v = neuron.mem_decay * v + (1 - neuron.mem_decay) * current
        spikes.append(neuron.fire(v, uniforms))
        v = v - spikes[-1].detach()
    return torch.stack(spikes)
