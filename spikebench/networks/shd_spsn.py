"""SHD of the SPSN authors with their output layer: a fourth loop or a fourth FFT, whose neurons do not fire."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, OutputLayer
from spikebench.networks import shd

SOURCE = "arXiv 2306.12666 and its authors' code (fire=False); T is that of the longest recording, about 1000 to 1370"
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
    return OutputLayer(channels, hidden, classes, make_neuron, batch_norm=False, readout="leaky", weights="kaiming")


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Events [T, B, channels] of the network `shd`."""
    return shd.data(steps, batch, channels, generator)
