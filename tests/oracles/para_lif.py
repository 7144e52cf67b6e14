"""ParaLIF from the closed response of its two filters, convolved series by series."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"mode": "d"},
    {"mode": "st", "threshold": 0.7, "mem_decay": 0.8},
    {"mode": "tt", "threshold": 0.2, "syn_decay": 0.3},
    {"mode": "trt", "threshold": 0.5, "mem_decay": 0.9, "syn_decay": 0.2},
    {"mode": "sd", "mem_decay": 0.7, "syn_decay": 0.4, "threshold": 0.05},
    {"mode": "td", "mem_decay": 0.7, "syn_decay": 0.4},
    {"mode": "trd", "mem_decay": 0.7, "syn_decay": 0.4, "surrogate": "atan", "slope": 2.0},
]
INPUT = (0.1, 1.0)
TIES: list[dict[str, Any]] = [
    {"options": {"mode": "t", "mem_decay": 0.5}, "x": [2.0], "spikes": [0]},
    {"options": {"mode": "d", "mem_decay": 0.5, "threshold": 1.0}, "x": [2.0], "spikes": [0]},
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    alpha, beta, n = options["syn_decay"], options["mem_decay"], np.arange(len(x))
    if alpha == beta:
        response: Array = (1 - beta) * (n + 1) * beta**n
    else:
        response = (1 - beta) * (beta ** (n + 1) - alpha ** (n + 1)) / (beta - alpha)
    series = x.reshape(len(x), -1).T
    v: Array = np.stack([np.convolve(one, response)[: len(x)] for one in series], 1).reshape(x.shape)
    name = options["mode"]
    if name[:-1] == "s":
        v = 1 / (1 + np.exp(-v))
    elif name[:-1]:
        v = np.tanh(v)
        v = np.maximum(v, 0) if name[:-1] == "tr" else v
    return v - np.concatenate([np.zeros_like(v[:1]), v[:-1]]) if name[-1] == "d" else v


def spikes(u: Array, options: dict[str, Any], parameters: dict[str, Array], uniforms: Array | None) -> Array:
    default = 0.1 if options["mode"][-1] == "d" else 1.0
    return (u > (default if options["threshold"] is None else options["threshold"])).astype(float)
