"""PPSU step by step: what the reset takes from a step is a sum over all earlier ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"decay": 0.8, "threshold": 0.4}, {"learn_slope": True}]
INPUT = (0.8, 2.0)
TIES: list[dict[str, Any]] = [{"parameters": {"weight": 1.0}, "x": [1.0], "spikes": [1]}]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    w, b = parameters["weight"], parameters["bias"]
    q = np.stack([sum(w[t, i] * x[i] for i in range(t + 1)) + b[t, 0] for t in range(len(x))])
    taken = [sum(options["decay"] ** (t - i) / (1 + np.exp(-q[i])) for i in range(t)) for t in range(len(x))]
    return np.stack([q[t] - taken[t] for t in range(len(x))])
