"""Recurrent LIF: the coupled input is known once the spikes are, then the dense LIF."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"reset": "hard", "decay": 0.8, "threshold": 0.7},
    {"reset": "none", "synapse_decay": 0.5, "detach_reset": True},
    {"reset": "soft", "input_scale": "1-decay", "synapse_decay": 0.9},
]


def leaky(x: Array, decay: float) -> Array:
    """Σ decay^(t−i) x_i over i ≤ t."""
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    return np.tensordot(np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0), x, 1)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    decay = options["decay"]
    before = np.concatenate([np.zeros_like(s[:1]), s[:-1]])
    current = x + np.einsum("nm,tbm->tbn", parameters["weight"], before)
    if options["synapse_decay"] is not None:
        current = leaky(current, options["synapse_decay"])
    if options["input_scale"] == "1-decay":
        current = (1 - decay) * current
    if options["reset"] == "hard":
        count = np.cumsum(before, 0)
        lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
        leak = np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0)
        return np.einsum("ti,tibn,ibn->tbn", leak, (count[:, None] == count[None]).astype(float), current)
    reset = decay * options["threshold"] if options["reset"] == "soft" else 0.0
    return leaky(current - reset * before, decay)
