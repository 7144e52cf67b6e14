"""EXODUS in closed form: dense matrices, and under v_min the largest lift that any earlier cut can have given."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"max_spikes": 1, "decay": 0.99, "threshold": 0.5, "backward": "doubling"},
    {"v_min": -0.4, "decay": 0.95, "subtract": 0.7, "learn_decay": True},
    {"norm_input": True, "threshold": 0.2, "v_min": -0.1, "max_spikes": 3, "learn_decay": True},
    {"synapse_decay": 0.8, "threshold": 1.7},
    {"synapse_decay": 0.6, "decay_early": False, "decay": 1.0, "v_min": 0.0},
]
INPUT = (0.4, 1.5)
TIES: list[dict[str, Any]] = [
    {"options": {"threshold": 0.5}, "x": [0.5], "spikes": [1]},
    {"options": {"decay": 0.5}, "x": [2.0, 1.0], "spikes": [2, 1]},
    {"options": {"max_spikes": 1, "decay": 0.5}, "x": [1.0, 2.5], "spikes": [1, 1]},
]
START = [({"learn_decay": True, "decay": 0.7}, "decay", 0.7)]


def leaky(x: Array, decay: float) -> Array:
    """Σ decay^(t−i) x_i over i ≤ t."""
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    return np.tensordot(np.where(lag >= 0, np.float64(decay) ** np.maximum(lag, 0), 0.0), x, 1)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    decay = float(parameters["decay"] if options["learn_decay"] else options["decay"])
    subtract = options["threshold"] if options["subtract"] is None else options["subtract"]
    z = x
    if options["synapse_decay"] is not None:
        z = leaky(x, options["synapse_decay"]) * (options["synapse_decay"] if options["decay_early"] else 1)
    if options["norm_input"]:
        z = (1 - decay) * z
    before = np.concatenate([np.zeros_like(s[:1]), s[:-1]])
    free = leaky(z - decay * subtract * before, decay)
    if options["v_min"] is None:
        return free
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    fading = np.where(lag >= 0, np.float64(decay) ** np.maximum(lag, 0), 0.0)
    lifts = fading[:, :, None, None] * (options["v_min"] - free)[None]
    return free + np.maximum(lifts.max(1), 0)


def spikes(u: Array, options: dict[str, Any], parameters: dict[str, Array], uniforms: Array | None) -> Array:
    most = np.inf if options["max_spikes"] is None else options["max_spikes"]
    return np.clip(np.floor(u / options["threshold"]), 0, most)
