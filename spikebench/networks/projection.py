"""Layers of one width, each a Linear and its neurons, one after the other; `projection[layers=4]` is four deep."""

from torch import Generator, Tensor, nn

from spikebench.network import Layers, MakeNeuron, normal

SOURCE = "spikebench; what a neuron costs beside the projection that feeds it"
NEURON = "lif"
T = 1000
B = 16
LAYERS = 1


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained layers, their weights from torch's generator."""
    return Layers(channels, [width] * layers, make_neuron)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Standard normal [T, B, channels]."""
    return normal((steps, batch, channels), generator)
