"""PSU from explicit matrices, entry by entry as in the identity v = A x − threshold·B s with s replaced by σ(A x)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"form": "dense"},
    {"decay": 0.9, "threshold": 0.1},
    {"decay": 0.99, "threshold": 0.01, "form": "dense"},
]
INPUT = (0.8, 1.5)
TIES: list[dict[str, Any]] = [{"options": {"form": form}, "x": [2.0], "spikes": [1]} for form in ("scan", "dense")]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def matrices(decay: float, steps: int) -> tuple[Array, Array]:
    """A and B."""
    a, b = np.zeros((steps, steps)), np.zeros((steps, steps))
    for t in range(steps):
        for i in range(t + 1):
            a[t, i] = (1 - decay) * decay ** (t - i)
            b[t, i] = decay ** (t - i) if i < t else 0.0
    return a, b


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    a, b = matrices(options["decay"], len(x))
    z = np.tensordot(a, x, 1)
    return z - options["threshold"] * np.tensordot(b, sigmoid(z), 1)
