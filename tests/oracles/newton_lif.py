"""Hard-reset LIF as a sum over pairs of steps with no spike between."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "solves again and again what a loop does once"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [
    {},
    {"rounds": 0, "decay": 0.8},
    {"rounds": 2, "decay": 0.99, "threshold": 2.0},
    {"rounds": 200, "detach_reset": True},
]
TIES: list[dict[str, Any]] = [
    {"options": {"decay": 0.5, "rounds": rounds}, "x": [1.0, 0.5, 0.75], "spikes": [1, 0, 1]} for rounds in (0, 1, 16)
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    u = np.zeros_like(x)
    for t in range(len(x)):
        for i in range(t + 1):
            u[t] += options["decay"] ** (t - i) * np.prod(1 - s[i:t], axis=0) * x[i]
    return u
