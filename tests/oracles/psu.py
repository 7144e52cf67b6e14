"""PSU from explicit matrices, entry by entry: of the identity v = A x − threshold·B s with s replaced by σ(A x), and those
of the authors' generate_matrix, M1 and M2, whose exponents count one more than the lag."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"form": "dense"},
    {"decay": 0.9, "threshold": 0.1},
    {"decay": 0.99, "threshold": 0.01, "form": "dense"},
    {"matrices": "authors", "tau": 4.0, "threshold": 0.1},
    {"matrices": "authors", "tau": 4.0, "form": "dense", "threshold": 0.3},
    {"matrices": "authors", "tau": 1.25, "threshold": 0.6},
    {"learn_slope": True, "threshold": 0.3},
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


def published(tau: float, steps: int) -> tuple[Array, Array]:
    """M1 and −M2."""
    t, i = np.indices((steps, steps))
    lag = (t - i).astype(float)
    return np.where(i <= t, (1 / tau) ** (lag + 1), 0.0), np.where(i < t, tau ** (-lag), 0.0)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    theirs = options["matrices"] == "authors"
    a, b = published(options["tau"], len(x)) if theirs else matrices(options["decay"], len(x))
    z = np.tensordot(a, x, 1)
    return z - options["threshold"] * np.tensordot(b, sigmoid(z), 1)
