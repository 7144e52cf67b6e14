"""Residual blocks of two Conv2d + neuron layers on images: `resnet[residual=ms,side=28]`, small SEW- and MS-ResNets."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, pixels
from spikebench.networks._norms import Norm
from spikebench.networks._residual import Connect, Form, Residual, ResidualNetwork
from spikebench.units import Count

SOURCE = (
    "the blocks of SEW-ResNet (arXiv 2102.04159) and MS-ResNet (arXiv 2112.08954); sizes are spikebench's, for handwritten"
    " digits of 8 or 28 pixels; neurons of maps get them flattened, [T, B, C, H, W] as [T, B, C·H·W]"
)
NEURON = "lif"
T = 4
B = 32
WIDTH = 16
BLOCKS = 4
CHANNELS = 1
SIDE = 8
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
    side: int,
    residual: Residual = "sew",
    connect: Connect = "add",
    norm: Norm = "batch",
    stages: Count = 1,
    zero_init: bool = False,
) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    form = Form(make_neuron, residual, connect, norm, T)
    return ResidualNetwork(form, channels, width, blocks, classes, side=side, stages=stages, zero_init=zero_init)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """An image that stands still, its pixels in a row: [T, B, channels], with the mean and deviation of MNIST's."""
    return pixels((1, batch, channels), generator).repeat(steps, 1, 1)
