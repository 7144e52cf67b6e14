"""SLAYER's forward pass in closed form; it is that of EXODUS, whose file is another neuron's, so it stands here again."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"max_spikes": 2, "decay": 0.98, "threshold": 0.8, "subtract": 0.5}]
DETACHED = True
INPUT = (0.4, 1.5)
TIES: list[dict[str, Any]] = [{"options": {"decay": 0.5}, "x": [2.0, 1.0], "spikes": [2, 1]}]
START = [({"learn_decay": True, "decay": 0.7}, "decay", 0.7)]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """u = ε∗x + ν∗s with ε_n = decay^n and ν_n = −subtract·decay^n for n ≥ 1, the kernels of the comparison."""
    subtract = options["threshold"] if options["subtract"] is None else options["subtract"]
    response = options["decay"] ** np.arange(len(x))
    u = np.zeros_like(x)
    for n, weight in enumerate(response):
        u[n:] += weight * x[: len(x) - n]
        if n:
            u[n:] -= subtract * weight * s[: len(s) - n]
    return u


def spikes(u: Array, options: dict[str, Any], parameters: dict[str, Array], uniforms: Array | None) -> Array:
    most = np.inf if options["max_spikes"] is None else options["max_spikes"]
    return np.clip(np.floor(u / options["threshold"]), 0, most)
