"""Pathfinder of the Long Range Arena, of P-SpikeSSM: 6 blocks of 256, state 64."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, normal
from spikebench.p_spikessm import PSpikeSSM

SOURCE = "arXiv 2406.02923 and its authors' configurations; T is 32 · 32 pixels; there each channel has its own A and B, here a layer shares them"
NEURON = "spikebench.p_spikessm:GeluSampler[ssm=dplr,state=64]"
T = 1024
B = 100
WIDTH = 256
LAYERS = 6
CHANNELS = 1
CLASSES = 2
OPTIMIZER = "adamw"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return PSpikeSSM(channels, width, layers, classes, make_neuron, state=64, norm="batch", prenorm=True)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Standard normal [T, B, channels], as standardised pixels are on average."""
    return normal((steps, batch, channels), generator)
