"""PLIF from dense matrices; a hard reset keeps only what came after the last spike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"tau": 8.0, "threshold": 0.3, "detach_reset": False},
    {"reset": "soft", "decay_input": False},
    {"decay_input": False, "tau": 1.2},
    {"shared": False, "tau": 3.0, "detach_reset": False},
    {"shared": False, "reset": "soft", "threshold": 0.6},
]
TIES: list[dict[str, Any]] = [
    {"x": [2.0, 1.0], "spikes": [1, 0]},
    {"options": {"reset": "soft"}, "x": [2.0, 2.0], "spikes": [1, 1]},
]
START = [({"tau": 5.0}, "w", -np.log(4.0))]  # σ(w) = 1/tau
START += [({"tau": 5.0, "shared": False}, "w", lambda w: w.shape == (5,) and np.allclose(w, -np.log(4.0)))]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    w = np.broadcast_to(parameters["w"], x.shape[-1:])
    each = [alone(x[..., [n]], s[..., [n]], options, float(w[n])) for n in range(x.shape[-1])]
    return np.concatenate(each, -1)


def alone(x: Array, s: Array, options: dict[str, Any], w: float) -> Array:
    """The membrane of one neuron [T, B, 1]."""
    rate = 1 / (1 + np.exp(-w))
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    leak = np.where(lag >= 0, (1 - rate) ** np.maximum(lag, 0), 0.0)
    current = rate * x if options["decay_input"] else x
    if options["reset"] == "soft":
        past = np.where(lag > 0, leak, 0.0)
        return np.tensordot(leak, current, 1) - options["threshold"] * np.tensordot(past, s, 1)
    steps = range(len(x))
    unreset = np.array([[np.prod(1 - s[i:t], axis=0) for i in steps] for t in steps])
    return np.einsum("ti,tibn,ibn->tbn", leak, unreset, current)
