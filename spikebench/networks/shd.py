"""SHD of the SPSN authors: 3 hidden layers, 1 ms bins; the logits are the time mean of a readout that leaks."""

from torch import Generator, Tensor, nn

from spikebench.network import Classifier, MakeNeuron, events

SOURCE = "arXiv 2306.12666 and its authors' code; T is that of the longest recording, about 1000 to 1370"
NEURON = (
    "lif[decay=0.951229424500714,reset=hard,detach_reset=true,strict=true,input_scale=1-decay,"
    "synapse_decay=0.951229424500714,surrogate=fast_sigmoid,slope=100.0]"
)
T = 1000
B = 64
WIDTH = 128
LAYERS = 3
CHANNELS = 700
CLASSES = 20
OPTIMIZER = "adamax"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    hidden = [width] * layers
    return Classifier(channels, hidden, classes, make_neuron, batch_norm=False, readout="leaky", weights="kaiming")


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Events [T, B, channels]: 0.016 a step and channel, about 8,000 in 0.7 s (assumed, not read)."""
    return events(0.016, (steps, batch, channels), generator)
