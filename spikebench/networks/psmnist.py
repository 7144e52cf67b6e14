"""Permuted sequential MNIST of P-SpikeSSM: 2 blocks of 400, state 64, no residual, BatchNorm before and behind."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, pixels
from spikebench.networks._p_spikessm import PSpikeSSM

SOURCE = (
    "arXiv 2406.02923 and NeuroCompLab-psu/PSpikeSSMs at 8f7a954, configs/experiment/lra/pSpikeSSM-mnist.yaml; the SSM is"
    " causal here, two-sided there; T is 28 · 28 pixels"
)
NEURON = "gelu_sampler[ssm=dplr,state=64]@fft"
T = 784
B = 64
WIDTH = 400
LAYERS = 2
CHANNELS = 1
CLASSES = 10
OPTIMIZER = "adamw"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return PSpikeSSM(
        channels, width, layers, classes, make_neuron, state=64, norm="batch", prenorm=True, dropout=0.1, residual=False
    )


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Pixels [T, B, channels] with the mean and deviation of MNIST's, in no order."""
    return pixels((steps, batch, channels), generator)
