"""What compiled loops are told of a neuron that fires at a threshold, and has a surrogate."""

from typing import Any, Protocol

import torch
from torch import Tensor

from spikebench.backend import constant
from spikebench.backends.cpu._kernels import fire as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.numerics.surrogate import Surrogate


class Spiking(Protocol):
    """What is needed of a neuron for its spikes."""

    threshold: Any
    surrogate: Surrogate
    slope: Any


def constants(neuron: Spiking, dtype: torch.dtype) -> tuple[int, Tensor]:
    """The kind of surrogate, and the constants of `_kernels/fire.py` [1, CONSTANTS]."""
    kind, k, inner = shape(neuron.surrogate, constant(neuron.slope, "slope"))
    c = torch.zeros(kernels.CONSTANTS, dtype=torch.float64)
    c[kernels.THRESHOLD], c[kernels.SLOPE], c[kernels.INNER] = float(neuron.threshold), k, inner
    c[kernels.ONE] = 1.0
    return kind, c.to(dtype)[None]
