"""One layer that gets spike times and a readout, as a scheme of spike times or a grid of steps may compute it: workload `events`."""

import torch
from torch import Generator, Tensor, nn

from spikebench.network import EventClassifier, MakeNeuron

SOURCE = "spikebench; what it costs to learn from spike times beside the same neuron on a grid of steps"
NEURON = "lif[decay=0.951229424500714,synapse_decay=0.904837418035960]"
T = 100
B = 64
WIDTH = 128
LAYERS = 1
CHANNELS = 64
CLASSES = 10
OPTIMIZER = "adamw"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return EventClassifier(channels, [width] * layers, classes, make_neuron)


def data(steps: int, batch: int, channels: int, generator: Generator, rate: float = 0.05) -> Tensor:
    """Lists of spike times [B, channels, S], in steps: independent, `rate` a step and channel on average, at any time."""
    device = generator.device
    many = torch.poisson(torch.full((batch, channels), rate * steps, device=device), generator)
    most = max(1, int(many.max()))
    times = steps * torch.rand(batch, channels, most, generator=generator, device=device)
    return times.masked_fill(torch.arange(most, device=device) >= many[..., None], torch.inf)
