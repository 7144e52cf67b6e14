"""PRF from the real impulse response Δ·exp(−nΔ/tau)·cos(nΔω)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [{}, {"tau": 0.5, "threshold": 0.3}, {"tau": 20.0}]
INPUT = (0.5, 10.0)
TIES: list[dict[str, Any]] = [{"parameters": {"log_dt": 0.0}, "x": [1.0], "spikes": [1]}]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    dt, omega = np.exp(parameters["log_dt"]), np.exp(parameters["log_omega"])
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))[..., None] * dt  # [T, T, N]
    response = dt * np.exp(-np.maximum(lag, 0) / options["tau"]) * np.cos(lag * omega)
    return np.einsum("tin,ibn->tbn", np.where(lag >= 0, response, 0.0), x)
