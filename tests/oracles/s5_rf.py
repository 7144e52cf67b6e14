"""S5-RF as a convolution with powers of a complex number; the frequencies of the start from the eigenvalues of a whole matrix."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "computes its rotation in every step, and a complex gain"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [
    {},
    {"discretization": "zoh", "threshold": 0.05},
    {"discretization": "bilinear", "threshold": 0.03, "block": 3},
    {"activation": "polar", "threshold": 2.0},
]
INPUT = (0.3, 1.0)
TIES: list[dict[str, Any]] = [
    {"x": [1.0], "spikes": [1]},
    {"options": {"activation": "polar", "threshold": 0.5}, "x": [-0.5], "spikes": [1]},
]


def frequencies(block: int) -> Array:
    """Imaginary parts of the eigenvalues of −LegS + p pᵀ, whose real parts are all −½."""
    n, k = np.indices((block, block)).astype(float)
    legs = np.where(n > k, np.sqrt((2 * n + 1) * (2 * k + 1)), np.where(n == k, n + 1, 0.0))
    low = np.sqrt(np.arange(block) + 0.5)
    values = np.linalg.eigvals(-legs + np.outer(low, low))
    assert np.allclose(values.real, -0.5)
    return np.sort(values.imag)


START = [
    ({}, "log_decay", np.log(0.5)),
    ({}, "omega", np.resize(frequencies(4), 5)),
    ({"block": 3}, "omega", np.resize(frequencies(3), 5)),
    ({}, "log_dt", lambda p: np.all((p >= np.log(0.001)) & (p <= np.log(0.1))) and len({*p.tolist()}) == len(p)),
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    rate = -np.exp(parameters["log_decay"]) + 1j * parameters["omega"]
    dt = np.exp(parameters["log_dt"])
    match options["discretization"]:
        case "exact":
            decay, gain = np.exp(dt * rate), np.ones_like(rate)
        case "zoh":
            decay, gain = np.exp(dt * rate), np.expm1(dt * rate) / rate
        case _:
            decay, gain = (2 + dt * rate) / (2 - dt * rate), 2 * dt / (2 - dt * rate)
    z = np.zeros(x.shape, np.complex128)
    for k in range(len(x)):
        z[k:] += gain * decay**k * x[: len(x) - k]
    return z.real if options["activation"] == "cartesian" else np.abs(z)
