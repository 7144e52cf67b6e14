"""SHD of the PSU authors: a filter and a gate over time, then 2 layers of 1024 with BatchNorm and dropout; T = 15."""

from torch import Generator, Tensor, nn

from spikebench.network import MakeNeuron, events
from spikebench.networks._stsc import FilteredClassifier

SOURCE = (
    "Brain-Cog-Lab/PSU at 89fd724, main4shd.py and SHD_SNN in braincog/model_zoo/fc_snn.py: each recording in 15 equal"
    " bins, batch 256, 700-1024-1024-20, mean over time of the readout, AdamW at 5e-3, mean squared error against one-hot"
    " labels. There a LIF passes through the whole network step by step, with BatchNorm over the batch of a step; here"
    " every neuron is computed layer by layer, as there PSU is"
)
NEURON = "psu[threshold=0.3,matrices=authors]"
T = 15
B = 256
WIDTH = 1024
LAYERS = 2
CHANNELS = 700
CLASSES = 20
OPTIMIZER = "adamw"
LOSS = "mse"


def build(make_neuron: MakeNeuron, channels: int, width: int, layers: int, classes: int) -> nn.Module:
    """The untrained network, its weights from torch's generator."""
    return FilteredClassifier(channels, [width] * layers, classes, make_neuron)


def data(steps: int, batch: int, channels: int, generator: Generator) -> Tensor:
    """Counts [T, B, channels]: about 8,000 events of a recording (assumed, as in `shd`) in `steps` bins."""
    return events(8000 / 700 / steps, (steps, batch, channels), generator)
