"""SSC of the EXODUS authors: 3 layers, 100 channels, 4 ms bins; the logits are the largest over time."""

from spikebench.networks.hsd import build as build
from spikebench.networks.hsd import data as data

SOURCE = (
    "arXiv 2205.10242 and its authors' comparison code: 700 units taken together to 100, Adam; the neuron is that of their"
    " timing, with a time constant of 1e5 steps (30 in their training)"
)
NEURON = "exodus[decay=0.99999,width=1.0]"
T = 250
B = 128
WIDTH = 128
LAYERS = 3
CHANNELS = 100
CLASSES = 35
OPTIMIZER = "adam"
