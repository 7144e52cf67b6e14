"""EXODUS' neuron by autograd through a loop that takes x[t], several spikes a step, as Sinabs has it: time grows as T²."""

from typing import Any

import torch
from torch import Tensor

from spikebench.neurons.exodus import Exodus
from spikebench.numerics.surrogate import derivative


def run(neuron: Exodus, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; every step is made of PyTorch operations, and only the spike has a derivative of its own."""
    v, spikes = torch.zeros_like(x[0]), []
    i = torch.zeros_like(v)
    scale = 1 - neuron.decay if neuron.norm_input else 1.0
    for t in range(x.shape[0]):
        z = x[t]
        if neuron.synapse_decay is not None:
            i = neuron.synapse_decay * (i + z) if neuron.decay_early else neuron.synapse_decay * i + z
            z = i
        u = neuron.decay * v + (scale * z if neuron.norm_input else z)
        if neuron.v_min is not None:
            u = torch.where(u > neuron.v_min, u, neuron.v_min)  # no gradient at equality, as in the definition
        s = _Count.apply(u, neuron)
        v = u - neuron.subtract * s
        spikes.append(s)
    return torch.stack(spikes)


class _Count(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, neuron: Exodus) -> Tensor:
        ctx.save_for_backward(u)
        ctx.neuron = neuron
        return neuron.count(u)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # torch leaves the arguments open
        (u,), neuron = ctx.saved_tensors, ctx.neuron
        return grad * derivative(u - neuron.threshold, neuron.surrogate, neuron.slope), None
