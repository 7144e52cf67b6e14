"""Preset of Open Neuromorphic's library benchmark: one Linear and its neurons; the loss is the sum of all spikes."""

from torch import Generator, Tensor, nn

from spikebench.network import Layers, MakeNeuron, normal

SOURCE = (
    "open-neuromorphic.org, Spiking Neural Network Library Benchmarks, 2023 and 2024: B from its text, n = 4096, 8192 and"
    " 16384 neurons, Gaussian input; forward and backward only, no optimiser step, no gradient of the input"
)
NEURON = "lif"
T = 500
B = 16
LAYERS = 1


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained layers, their weights from torch's generator."""
    return Layers(channels, [width] * layers, make_neuron)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Standard normal [T, B, channels]."""
    return normal((steps, batch, channels), generator)
