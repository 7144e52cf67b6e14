"""SSC of the EXODUS authors: 3 layers, 100 channels, 4 ms bins; the logits are the largest over time."""

from torch import Generator, Tensor, nn

from spikebench.network import Classifier, MakeNeuron, events

SOURCE = (
    "arXiv 2205.10242 and its authors' comparison code: 700 units taken together to 100, Adam; the neuron is that of their"
    " timing, with a time constant of 1e5 steps (30 in their training)"
)
NEURON = "exodus[decay=0.99999,width=1.0]"
T = 250
B = 128
WIDTH = 128
LAYERS = 3
CHANNELS = 100
CLASSES = 35
OPTIMIZER = "adam"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return Classifier(channels, [width] * layers, classes, make_neuron, batch_norm=False, readout="max")


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Events [T, B, channels]: those of the network `shd`, 7 units and 4 ms together."""
    return events(0.016 * 4 * 7, (steps, batch, channels), generator)
