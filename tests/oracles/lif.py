"""LIF from dense matrices: u = A i − threshold·B s, or under hard reset a sum over the steps since the last spike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"decay": 0.99, "threshold": 0.05, "input_scale": "1-decay"},
    {"reset": "hard", "decay": 0.8},
    {"reset": "hard", "input_scale": "1-decay", "synapse_decay": 0.7, "strict": True, "threshold": 0.3},
    {"reset": "none", "synapse_decay": 0.95},
    {"reset_delay": True, "threshold": 1.3, "learn_decay": True},
    {"detach_reset": True, "learn_threshold": True, "threshold": 0.6},
]
TIES: list[dict[str, Any]] = [
    {"options": {"decay": 0.5}, "x": [1.0, 1.0, 0.5], "spikes": [1, 1, 0]},
    {"options": {"decay": 0.5, "reset": "hard"}, "x": [1.0, 0.5], "spikes": [1, 0]},
    {"options": {"decay": 0.5, "strict": True}, "x": [1.0, 0.5, 0.75], "spikes": [0, 0, 1]},
]
START = [
    ({"learn_decay": True, "decay": 0.7}, "decay", 0.7),
    ({"learn_threshold": True, "threshold": 0.6}, "threshold", 0.6),
]


def powers(decay: float, steps: int, first: int = 0) -> Array:
    """decay^(t−i−first) where t − i ≥ first, else 0."""
    lag = np.subtract.outer(np.arange(steps), np.arange(steps)) - first
    return np.where(lag >= 0, np.float64(decay) ** np.maximum(lag, 0), 0.0)


def unreset(s: Array) -> Array:
    """Π (1 − s_k) over k = i..t−1 where i ≤ t: 1 if no spike lies there, else 0: [t, i, B, N]."""
    return np.array([[np.prod(1 - s[i:t], axis=0) for i in range(len(s))] for t in range(len(s))])


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    steps = len(x)
    decay = float(parameters["decay"] if options["learn_decay"] else options["decay"])
    threshold = float(parameters["threshold"] if options["learn_threshold"] else options["threshold"])
    current = x if options["synapse_decay"] is None else np.tensordot(powers(options["synapse_decay"], steps), x, 1)
    if options["input_scale"] == "1-decay":
        current = (1 - decay) * current
    leak = powers(decay, steps)
    if options["reset"] == "hard":
        return np.einsum("ti,tibn,ibn->tbn", leak, unreset(s), current)
    u = np.tensordot(leak, current, 1)
    if options["reset"] == "none":
        return u
    late = powers(decay, steps, first=1)
    return u - threshold * np.tensordot(late if options["reset_delay"] else decay * late, s, 1)


def argument(x: Array, s: Array, held: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """The surrogate's argument; only spikes `s` carry a gradient, `held` do not."""
    threshold = float(parameters["threshold"] if options["learn_threshold"] else options["threshold"])
    return membrane(x, held if options["detach_reset"] else s, options, parameters) - threshold


def spikes(u: Array, options: dict[str, Any], parameters: dict[str, Array], uniforms: Array | None) -> Array:
    threshold = float(parameters["threshold"] if options["learn_threshold"] else options["threshold"])
    return (u > threshold if options["strict"] else u >= threshold).astype(float)
