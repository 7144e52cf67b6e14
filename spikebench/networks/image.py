"""Sequential grey CIFAR-10 of the Long Range Arena, of P-SpikeSSM: 6 blocks of 512, state 64, LayerNorm behind."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, normal
from spikebench.p_spikessm import PSpikeSSM

SOURCE = "arXiv 2406.02923 and its authors' configurations; T is 32 · 32 pixels"
NEURON = "spikebench.p_spikessm:GeluSampler[ssm=dplr,state=64]"
T = 1024
B = 50
WIDTH = 512
LAYERS = 6
CHANNELS = 1
CLASSES = 10
OPTIMIZER = "adamw"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return PSpikeSSM(channels, width, layers, classes, make_neuron, state=64, norm="layer", prenorm=False)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Standard normal [T, B, channels], as standardised pixels are on average."""
    return normal((steps, batch, channels), generator)
