"""SPSN from the closed impulse response of two leaky filters, as one convolution matrix."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"mem_decay": 0.9, "syn_decay": 0.5, "mode": "gs"},
    {"mem_decay": 0.6, "syn_decay": 0.99, "estimator": "straight-through"},
]
TIES: list[dict[str, Any]] = [
    {"options": {"mode": mode}, "x": [0.0], "uniforms": 0.5, "spikes": [0]} for mode in ("sb", "gs")
]


def filtered(x: Array, options: dict[str, Any]) -> Array:
    """Reset-free membrane: h_n = (1−β)(β^{n+1} − α^{n+1})/(β − α), or (1−β)(n+1)βⁿ where α = β."""
    alpha, beta, n = options["syn_decay"], options["mem_decay"], np.arange(len(x))
    if alpha == beta:
        response = (1 - beta) * (n + 1) * beta**n
    else:
        response = (1 - beta) * (beta ** (n + 1) - alpha ** (n + 1)) / (beta - alpha)
    lag = np.subtract.outer(n, n)
    return np.tensordot(np.where(lag >= 0, response[np.maximum(lag, 0)], 0.0), x, 1)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    v = filtered(x, options) * (2 if options["mode"] == "gs" else 1)
    return 1 / (1 + np.exp(-v))
