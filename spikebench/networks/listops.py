"""ListOps of the Long Range Arena, of P-SpikeSSM: 4 blocks of 128, state 16, normed behind, two SSMs a block."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, tokens
from spikebench.networks._p_spikessm import PSpikeSSM

SOURCE = (
    "arXiv 2406.02923 and NeuroCompLab-psu/PSpikeSSMs at 8f7a954, configs/experiment/lra/pSpikeSSM-listops.yaml; the SSM is"
    " causal here, two-sided there; T is the longest sequence, CHANNELS the tokens of the task listops"
)
NEURON = "gelu_sampler[ssm=dplr,state=16]@fft"
T = 2000
B = 32
WIDTH = 128
LAYERS = 4
CHANNELS = 15
CLASSES = 10
OPTIMIZER = "adamw"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return PSpikeSSM(
        channels, width, layers, classes, make_neuron, state=16, norm="batch", prenorm=False, bidirectional=True
    )


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Tokens drawn evenly, one-hot [T, B, channels]."""
    return tokens((steps, batch), channels, generator)
