"""GELU sampler from the convolution kernel of its state-space model, and GELU by the error function."""

from typing import Any

import numpy as np
from scipy.special import erf

from oracles.spike_sampler import Array, convolved

MORE = "computes the imaginary part of y too"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [{}, {"state": 2}, {"ssm": "dplr", "state": 8}]
INPUT = (0.4, 0.5)
TIES: list[dict[str, Any]] = [
    {
        "options": {"state": 2},
        "parameters": {"c_real": 0.0, "c_imag": 0.0, "d": 1.0, "bias": 0.25},
        "x": [0.0],
        "uniforms": 0.25,
        "spikes": [0],
    }
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    y = convolved(x, options, parameters)
    gelu = y * (1 + erf(y / np.sqrt(2))) / 2
    return np.clip(parameters["gain"] * gelu + parameters["bias"], 0, 1)
