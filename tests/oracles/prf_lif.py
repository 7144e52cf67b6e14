"""Decoupled LIF: the dense soft-reset identity, or with plain sums of spikes as the paper prints it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "finds its spikes twice, once without gradient"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [{}, {"decay": 0.95, "threshold": 0.8}, {"accumulation": "printed", "decay": 0.7}]
DETACHED = True
INPUT = (0.3, 1.0)
TIES: list[dict[str, Any]] = [{"x": [1.0, 0.5, 0.75], "spikes": [1, 0, 1]}]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    decay = options["decay"]
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    leak = decay ** np.maximum(lag, 0)
    past = np.where(lag > 0, leak if options["accumulation"] == "decayed" else decay, 0.0)
    return np.tensordot(np.where(lag >= 0, leak, 0.0), x, 1) - options["threshold"] * np.tensordot(past, s, 1)
