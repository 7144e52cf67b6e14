"""C-SiLIF as a sum of powers of a complex number over all inputs and spikes before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "computes its rotation from the logarithms in every step, and twice the membrane"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [{}, {"detach_reset": True, "threshold": 0.6}, {"surrogate": "atan", "slope": 3.0}]
INPUT = (0.5, 1.5)
TIES: list[dict[str, Any]] = [{"parameters": {"b": 0.5}, "x": [1.0], "spikes": [1]}]
START = [
    ({}, "log_decay", np.log(0.5)),
    ({}, "omega", np.pi),
    ({}, "log_dt", lambda p: np.all((p >= np.log(0.01)) & (p <= np.log(0.5))) and len({*p.tolist()}) == len(p)),
    ({}, "b", lambda p: np.all((p >= 0) & (p <= 1)) and len({*p.tolist()}) == len(p)),
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    rate = -np.exp(parameters["log_decay"]) + 1j * parameters["omega"]
    turned = np.exp(np.arange(len(x))[:, None] * rate * np.exp(parameters["log_dt"]))[:, None]  # powers [T, 1, N]
    u = np.zeros_like(x)
    for k in range(len(x)):
        u[k:] += 2 * (turned[k] * parameters["b"]).real * x[: len(x) - k]
        if k:
            u[k:] -= options["threshold"] * turned[k].real * s[: len(x) - k]
    return u
