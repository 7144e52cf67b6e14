"""Sliding PSN as a convolution of each series."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"k": 1}, {"k": 3, "exp_init": False}, {"k": 60}]
INPUT = (0.3, 1.5)
TIES: list[dict[str, Any]] = [{"x": [1.0, 0.5], "spikes": [1, 1]}]
START = [({"k": 3}, "weight", np.array([0.25, 0.5, 1.0])), ({}, "bias", -1.0)]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    kernel = parameters["weight"][::-1]  # the last weight meets the newest input
    series = x.reshape(len(x), -1).T
    h = np.stack([np.convolve(one, kernel)[: len(x)] for one in series], 1)
    return h.reshape(x.shape) + float(parameters["bias"])
