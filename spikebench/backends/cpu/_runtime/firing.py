"""What compiled loops are told of a neuron that fires at a threshold, and has a surrogate."""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from spikebench.backend import constant
from spikebench.backends.cpu._kernels import fire as kernels
from spikebench.backends.cpu._kernels.surrogates import shape
from spikebench.backends.cpu._runtime import threads
from spikebench.numerics.surrogate import Surrogate


class Spiking(Protocol):
    """What is needed of a neuron for its spikes."""

    threshold: Any
    surrogate: Surrogate
    slope: Any


def constants(neuron: Spiking, dtype: torch.dtype, threshold: float | None = None) -> tuple[int, Tensor]:
    """The kind of surrogate, and the constants of `_kernels/fire.py` [1, CONSTANTS]; the threshold is the neuron's if None."""
    kind, k, inner = shape(neuron.surrogate, constant(neuron.slope, "slope"))
    level = float(neuron.threshold if threshold is None else threshold)
    c = np.zeros(kernels.CONSTANTS)
    c[kernels.THRESHOLD], c[kernels.SLOPE], c[kernels.INNER] = level, k, inner
    c[kernels.ONE] = 1.0
    return kind, threads.constants(c, dtype)
