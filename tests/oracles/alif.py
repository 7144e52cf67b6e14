"""ALIF from three convolution matrices: input, reset and adaptation."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"detach_reset": True, "beta": 0.4, "threshold": 0.1, "adaptation_decay": 0.9},
    {"input_scale": "one", "adaptation_scale": "one", "threshold": 1.0, "beta": 0.2, "decay": 0.8},
]
INPUT = (0.3, 1.0)


def powers(decay: float, steps: int, first: int) -> Array:
    """decay^(t−i−first) where t − i ≥ first, else 0."""
    lag = np.subtract.outer(np.arange(steps), np.arange(steps)) - first
    return np.where(lag >= 0, decay ** np.maximum(lag, 0), 0.0)


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    steps, decay, rho = len(x), options["decay"], options["adaptation_decay"]
    scale = 1 - decay if options["input_scale"] == "1-decay" else 1.0
    gain = 1 - rho if options["adaptation_scale"] == "1-decay" else 1.0
    u = scale * np.tensordot(powers(decay, steps, 0), x, 1)
    u = u - options["threshold"] * np.tensordot(powers(decay, steps, 1), s, 1)
    return u - options["beta"] * gain * np.tensordot(powers(rho, steps, 1), s, 1)


def argument(u: Array, options: dict[str, Any], parameters: dict[str, Array]) -> tuple[Array, float]:
    """At the first step: the surrogate's argument, and the factor on its derivative."""
    return (u - options["threshold"]) / options["threshold"], options["surrogate_scale"] / options["threshold"]
