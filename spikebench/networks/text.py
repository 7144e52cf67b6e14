"""Byte-level text of the Long Range Arena, of P-SpikeSSM: 4 blocks of 128, state 16, two SSMs a block."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, tokens
from spikebench.networks._p_spikessm import PSpikeSSM

SOURCE = (
    "arXiv 2406.02923 and NeuroCompLab-psu/PSpikeSSMs at 8f7a954, configs/experiment/lra/pSpikeSSM-imdb.yaml; the SSM is"
    " causal here, two-sided there; CHANNELS is assumed: 128 characters and one for all others"
)
NEURON = "gelu_sampler[ssm=dplr,state=16]@fft"
T = 4096
B = 32
WIDTH = 128
LAYERS = 4
CHANNELS = 129
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
        state=16,
        norm="batch",
        prenorm=True,
        dropout=0.05,
        bidirectional=True,
    )


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Tokens drawn evenly, one-hot [T, B, channels]."""
    return tokens((steps, batch), channels, generator)
