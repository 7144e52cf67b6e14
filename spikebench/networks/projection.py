"""Layers of one width, each a Linear and its neurons, one after the other; `projection[layers=4]` is four deep, `[delays=25]` has delays."""

from torch import Generator, Tensor, nn

from spikebench.errors import Problem
from spikebench.network import Layers, MakeNeuron, normal
from spikebench.networks._delays import DelayedLinear
from spikebench.units import Natural, Positive

SOURCE = "spikebench; what a neuron costs beside the projection that feeds it"
NEURON = "lif"
T = 1000
B = 16
LAYERS = 1
SIGMA = 0.23


def build(
    make_neuron: MakeNeuron,
    channels: int,
    width: int,
    layers: int,
    classes: int,
    *,
    delays: Natural = 0,
    sigma: Positive = 0.23,
) -> nn.Module:
    """The untrained layers, their weights from torch's generator; with `delays` every synapse has one below that."""
    if not delays and sigma != SIGMA:
        raise Problem(f"sigma={sigma} is the width of a delay, and there is none; add delays=25, or leave it out")

    def delayed(before: int, after: int) -> nn.Module:
        return DelayedLinear(before, after, delays, sigma)

    return Layers(channels, [width] * layers, make_neuron, delayed if delays else nn.Linear)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Standard normal [T, B, channels]."""
    return normal((steps, batch, channels), generator)
