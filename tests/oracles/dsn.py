"""DSN as a sum over input steps of what all decays between have left, as one product per pair of steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"k": 1, "threshold": 0.3}, {"k": 60}]
INPUT = (0.8, 1.5)
TIES: list[dict[str, Any]] = [{"options": {"threshold": 0.5}, "parameters": {"weight": 0.0}, "x": [1.0], "spikes": [1]}]
START = [
    ({}, "bias", 0.0),
    ({"k": 3}, "weight", lambda w: w.shape == (3, 5) and 0.7 < np.abs(w).max() * 3**0.5 <= 1 and w.min() < 0 < w.max()),
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    weight, k = parameters["weight"], options["k"]
    z = np.zeros_like(x) + parameters["bias"]
    for age in range(min(k, len(x))):  # the last weight meets the newest input
        z[age:] += weight[k - 1 - age] * x[: len(x) - age]
    kept, taken = expit(z), expit(-z)
    h = np.zeros_like(x)
    for t in range(len(x)):
        for i in range(t + 1):
            h[t] += taken[i] * x[i] * np.prod(kept[i + 1 : t + 1], axis=0)
    return h
