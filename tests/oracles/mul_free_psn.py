"""Multiplication-free PSN as one convolution of each series, its powers of two from the exponents of floating-point numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SMOOTH = False  # a weight is rounded, and its gradient is that of the weight
OPTIONS: list[dict[str, Any]] = [
    {},
    {"k": 1, "surrogate": "triangle"},
    {"k": 3, "dilation": 5},
    {"k": 60, "dilation": 2},
]
INPUT = (0.4, 1.0)
TIES: list[dict[str, Any]] = [{"options": {"k": 2}, "parameters": {"weight": 0.6}, "x": [2.0, -0.5], "spikes": [1, 0]}]
START = [({"k": 3}, "weight", np.array([1, 0.5, 0.25])[:, None]), ({}, "theta", 1.0)]


def rounded(weight: Array) -> Array:
    """The power of two whose exponent is nearest."""
    mantissa, exponent = np.frexp(np.abs(weight))  # mantissa in [½, 1)
    up = mantissa > np.sqrt(0.5)
    return np.sign(weight) * np.ldexp(0.5, exponent + up)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    power, out = rounded(parameters["weight"]), np.zeros_like(x)
    for b in range(x.shape[1]):
        for n in range(x.shape[2]):
            kernel = np.zeros((options["k"] - 1) * options["dilation"] + 1)
            kernel[:: options["dilation"]] = power[:, n]
            out[:, b, n] = np.convolve(x[:, b, n], kernel)[: len(x)] - parameters["theta"][n]
    return out


def gradients(x: Array, g: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> dict[str, Array]:
    """Of Σ g·s; that of a rounded weight is that of the weight."""
    h = membrane(x, s, options, parameters)
    slope = 1.0 / (1.0 + (np.pi * h) ** 2) if options["surrogate"] == "atan" else 2 * np.maximum(1 - 2 * np.abs(h), 0)
    e, power, far = g * slope, rounded(parameters["weight"]), options["dilation"]
    by_x, by_weight = np.zeros_like(x), np.zeros_like(power)
    for i in range(options["k"]):
        late = max(0, len(x) - i * far)
        by_x[:late] += power[i] * e[len(x) - late :]
        by_weight[i] = (e[len(x) - late :] * x[:late]).sum((0, 1))
    return {"x": by_x, "weight": by_weight, "theta": -e.sum((0, 1))}
