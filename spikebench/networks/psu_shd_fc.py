"""SHD of the PSU authors, their network without filter, norm and dropout: 3 layers of 128; T = 15."""

from torch import nn

from spikebench.network import Classifier, MakeNeuron
from spikebench.networks.psu_shd import data as data

SOURCE = (
    "Brain-Cog-Lab/PSU at 89fd724, FC_SNN in braincog/model_zoo/fc_snn.py: 700-128-128-128-20; the rest as in psu_shd"
)
NEURON = "psu[threshold=0.3,matrices=authors]"
T = 15
B = 256
WIDTH = 128
LAYERS = 3
CHANNELS = 700
CLASSES = 20
OPTIMIZER = "adamw"
LOSS = "mse"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return Classifier(channels, [width] * layers, classes, make_neuron, batch_norm=False)
