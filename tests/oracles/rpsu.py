"""RPSU with explicit matrices."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"decay": 0.9, "threshold": -0.5},
    {"matrices": "authors", "tau": 4.0, "threshold": -0.2},
    {"learn_slope": True},
]
INPUT = (0.8, 2.0)
TIES: list[dict[str, Any]] = [{"x": [2.0], "spikes": [1]}]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    steps, theirs = len(x), options["matrices"] == "authors"
    decay, gain = (1 / options["tau"],) * 2 if theirs else (options["decay"], 1 - options["decay"])
    lag = np.subtract.outer(np.arange(steps), np.arange(steps))
    leak = np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0)
    q = np.einsum("ti,ibn->tbn", np.tril(parameters["weight"]), x) + parameters["bias"][:, :, None]
    probability = 1 / (1 + np.exp(-q))
    return np.einsum("ti,ibn->tbn", gain * leak, x) - np.einsum("ti,ibn->tbn", leak - np.eye(steps), probability)
