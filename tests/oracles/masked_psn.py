"""Masked PSN, the mask entry by entry: 1 where i ≤ t ≤ i + k − 1."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"k": 3}, {"k": 5, "masking": 0.25}, {"k": 60}]
INPUT = (0.0, 3.0)
TIES: list[dict[str, Any]] = [{"parameters": {"weight": 1.0}, "x": [1.0], "spikes": [1]}]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    steps, k, masking = len(x), options["k"], options["masking"]
    mask = np.array([[float(i <= t <= i + k - 1) for i in range(steps)] for t in range(steps)])
    mixing = parameters["weight"] * (masking * mask + (1 - masking) * np.ones((steps, steps)))
    return np.einsum("ti,ibn->tbn", mixing, x) + parameters["bias"][:, 0, None, None]
