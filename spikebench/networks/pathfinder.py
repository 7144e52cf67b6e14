"""Pathfinder of the Long Range Arena, of P-SpikeSSM: 6 blocks of 256, state 64, two SSMs a block."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, normal
from spikebench.networks._p_spikessm import PSpikeSSM

SOURCE = (
    "arXiv 2406.02923 and NeuroCompLab-psu/PSpikeSSMs at 8f7a954, configs/experiment/lra/pSpikeSSM-pathfinder.yaml; the SSM is"
    " causal here, two-sided there; T is 32 · 32 pixels; there each channel has its own A and B, here a layer shares them"
)
NEURON = "gelu_sampler[ssm=dplr,state=64]@fft"
T = 1024
B = 100
WIDTH = 256
LAYERS = 6
CHANNELS = 1
CLASSES = 2
OPTIMIZER = "adamw"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return PSpikeSSM(
        channels,
        width,
        layers,
        classes,
        make_neuron,
        state=64,
        norm="batch",
        prenorm=True,
        dropout=0.1,
        bidirectional=True,
    )


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Standard normal [T, B, channels], as standardised pixels are on average."""
    return normal((steps, batch, channels), generator)
