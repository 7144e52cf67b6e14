"""ALIF from three convolution matrices: input, reset and adaptation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "divides by the raised threshold and damps a gradient"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [
    {},
    {"detach_reset": True, "beta": 0.4, "threshold": 0.1, "adaptation_decay": 0.9},
    {"input_scale": "one", "adaptation_scale": "one", "threshold": 1.0, "beta": 0.2, "decay": 0.8},
]
INPUT = (0.3, 1.0)
TIES: list[dict[str, Any]] = [
    {"options": {"input_scale": "one", "threshold": 0.5, "decay": 0.5, "beta": 0.0}, "x": [0.5, 0.75], "spikes": [1, 1]}
]


def powers(decay: float, steps: int, first: int) -> Array:
    """decay^(t−i−first) where t − i ≥ first, else 0."""
    lag = np.subtract.outer(np.arange(steps), np.arange(steps)) - first
    return np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0)


def parts(x: Array, s: Array, held: Array, options: dict[str, Any]) -> tuple[Array, Array]:
    """u, and the adaptation b from spikes s; the reset comes from the spikes `held`."""
    steps, decay, rho = len(x), options["decay"], options["adaptation_decay"]
    scale = 1 - decay if options["input_scale"] == "1-decay" else 1.0
    gain = 1 - rho if options["adaptation_scale"] == "1-decay" else 1.0
    u = scale * np.tensordot(powers(decay, steps, 0), x, 1)
    u = u - options["threshold"] * np.tensordot(powers(decay, steps, 1), held, 1)
    return u, gain * np.tensordot(powers(rho, steps, 1), s, 1)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    u, b = parts(x, s, s, options)
    return u - options["beta"] * b


def argument(x: Array, s: Array, held: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """The surrogate's argument; only spikes `s` carry a gradient, `held` do not."""
    u, b = parts(x, s, held if options["detach_reset"] else s, options)
    raised = options["threshold"] + options["beta"] * b
    return u / raised - 1
