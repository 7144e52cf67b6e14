"""Hard-reset LIF as a sum over the steps since the last spike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"rounds": 0, "decay": 0.8},
    {"rounds": 2, "decay": 0.99, "threshold": 2.0},
    {"rounds": 200, "detach_reset": True},
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    u = np.zeros_like(x)
    for b, n in np.ndindex(x.shape[1:]):
        fired = np.flatnonzero(s[:, b, n])
        for t in range(len(x)):
            earlier = fired[fired < t]
            start = earlier[-1] + 1 if len(earlier) else 0
            u[t, b, n] = np.polyval(x[start : t + 1, b, n], options["decay"])  # Horner's scheme in the decay
    return u
