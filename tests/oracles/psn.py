"""PSN as sums over numbered steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"surrogate": "sigmoid", "slope": 4.0}]
INPUT = (0.0, 2.0)
TIES: list[dict[str, Any]] = [{"parameters": {"weight": 1.0}, "x": [1.0], "spikes": [1]}]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    return np.einsum("ti,ibn->tbn", parameters["weight"], x) + parameters["bias"][:, 0, None, None]
