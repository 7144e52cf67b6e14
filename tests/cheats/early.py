"""Does its work before anybody looks: while it is imported."""

import time

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron

time.sleep(0.3)  # a table of every answer, say


def run(neuron: Neuron, x: Tensor, seed: int | None = None) -> Tensor:
    return eager.run(neuron, x, seed)
