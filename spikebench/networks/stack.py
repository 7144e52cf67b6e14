"""Residual blocks of two Linear + neuron layers: `stack[residual=ms,blocks=8]`; how cost and gradients change with the depth."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, events
from spikebench.networks._norms import Norm
from spikebench.networks._residual import Connect, Form, Residual, ResidualNetwork

SOURCE = (
    "the blocks of SEW-ResNet (arXiv 2102.04159) and MS-ResNet (arXiv 2112.08954) around Linear; sizes are spikebench's"
)
NEURON = "lif"
T = 100
B = 16
WIDTH = 128
BLOCKS = 4
CHANNELS = 70
CLASSES = 10
OPTIMIZER = "adamw"


def build(
    make_neuron: MakeNeuron,
    channels: int,
    width: int,
    blocks: int,
    classes: int,
    *,
    T: int,
    residual: Residual = "sew",
    connect: Connect = "add",
    norm: Norm = "batch",
    zero_init: bool = False,
) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    form = Form(make_neuron, residual, connect, norm, T)
    return ResidualNetwork(form, channels, width, blocks, classes, zero_init=zero_init)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Events [T, B, channels]: 0.1 a step and channel."""
    return events(0.1, (steps, batch, channels), generator)
