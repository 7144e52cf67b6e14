"""IPSU with every sum over steps written as one matrix."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"variant": "fpt"}, {"decay": 0.8, "threshold": 0.4}, {"learn_slope": True}]
INPUT = (0.0, 2.0)
TIES: list[dict[str, Any]] = [
    {"options": {"variant": "braincog"}, "parameters": {"weight": 1.0}, "x": [1.0], "spikes": [1]},
    {"options": {"variant": "fpt"}, "parameters": {"weight": 1.0}, "x": [1.0], "spikes": [1]},
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    steps, decay = len(x), options["decay"]
    lag = np.subtract.outer(np.arange(steps), np.arange(steps))
    past = np.where(lag > 0, decay ** np.maximum(lag, 0), 0.0)
    whole = np.tril(parameters["weight"])
    if options["variant"] == "fpt":
        return np.einsum("ti,ibn->tbn", whole - past @ (past + np.eye(steps)), x)
    return np.einsum("ti,ibn->tbn", whole - past, x) + parameters["bias"][:, :, None]
