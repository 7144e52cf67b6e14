"""Recurrent LIF: the coupled input is known once the spikes are, then the dense LIF."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"reset": "hard", "decay": 0.8, "threshold": 0.7},
    {"reset": "none", "synapse_decay": 0.5, "detach_reset": True},
    {"reset": "soft", "input_scale": "1-decay", "synapse_decay": 0.9, "threshold": 0.5},
    {"reset": "soft", "detach_reset": True},
]
TIES: list[dict[str, Any]] = [{"parameters": {"weight": 0.0}, "x": [1.0], "spikes": [1]}]
START = [({}, "weight", lambda w: w.min() < 0 < w.max())]


def leaky(x: Array, decay: float) -> Array:
    """Σ decay^(t−i) x_i over i ≤ t."""
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    return np.tensordot(np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0), x, 1)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    return coupled(x, s, s, options, parameters)


def coupled(x: Array, s: Array, held: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """The membrane with the coupling from spikes s and the reset from the spikes `held`."""
    decay = options["decay"]
    current = x.copy()
    current[1:] += np.einsum("nm,tbm->tbn", parameters["weight"], s[:-1])
    if options["synapse_decay"] is not None:
        current = leaky(current, options["synapse_decay"])
    if options["input_scale"] == "1-decay":
        current = (1 - decay) * current
    if options["reset"] == "hard":
        steps = range(len(x))
        lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
        leak = np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0)
        unreset = np.array([[np.prod(1 - held[i:t], axis=0) for i in steps] for t in steps])
        return np.einsum("ti,tibn,ibn->tbn", leak, unreset, current)
    if options["reset"] == "soft":
        current[1:] -= decay * options["threshold"] * held[:-1]
    return leaky(current, decay)


def argument(x: Array, s: Array, held: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """The surrogate's argument; only spikes `s` carry a gradient, `held` do not."""
    return coupled(x, s, held if options["detach_reset"] else s, options, parameters) - options["threshold"]
