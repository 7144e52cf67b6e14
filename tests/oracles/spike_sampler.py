"""Spike sampler from its convolution kernel: powers of the eigenvalues (s4d), or of the real-basis matrix (dplr)."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Complex = NDArray[np.complexfloating[Any, Any]]

MORE = "computes the imaginary part of its output too"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [{}, {"state": 2}, {"ssm": "dplr", "state": 8}, {"ssm": "dplr", "state": 2}]
INPUT = (0.4, 0.5)
TIES: list[dict[str, Any]] = [
    {
        "options": {"state": 2},
        "parameters": {"c_real": 0.0, "c_imag": 0.0, "d": 1.0},
        "x": [0.25],
        "uniforms": 0.25,
        "spikes": [0],
    }
]


def kernel(steps: int, ssm: str, p: dict[str, Array]) -> Array:
    """Impulse response of y without d·x: [T, N]."""
    a = 1j * p["a_imag"] - np.exp(p["a_log"])
    b, c = p["b_real"] + 1j * p["b_imag"], p["c_real"] + 1j * p["c_imag"]
    step = np.log1p(np.exp(p["dt"]))
    if ssm == "s4d":
        n = np.arange(steps)[:, None, None]
        drive = c * b[:, None] * np.expm1(a[:, None] * step) / a[:, None]
        return 2 * (drive * np.exp(n * a[:, None] * step)).sum(1).real
    return np.stack([dense_kernel(steps, a, b, c[:, j], p, h) for j, h in enumerate(step)], 1)


def dense_kernel(steps: int, a: Complex, b: Complex, c: Complex, p: dict[str, Array], h: float) -> Array:
    """The same system on real and imaginary parts: a real matrix, no conjugates."""
    low = p["p_real"] + 1j * p["p_imag"]
    # on z = (Re h, Im h): h' = a h − p·2 Re(p* h) + b x, y = 2 Re(c h)
    matrix = np.block([[np.diag(a.real), -np.diag(a.imag)], [np.diag(a.imag), np.diag(a.real)]])
    pick = 2 * np.concatenate([low.real, low.imag])
    matrix = matrix - np.outer(np.concatenate([low.real, low.imag]), pick)
    enter, leave = np.concatenate([b.real, b.imag]), 2 * np.concatenate([c.real, -c.imag])
    back = np.linalg.inv(np.eye(len(matrix)) - h / 2 * matrix)
    forward = back @ (np.eye(len(matrix)) + h / 2 * matrix)
    return np.array([leave @ np.linalg.matrix_power(forward, n) @ back @ enter * h for n in range(steps)])


def convolved(x: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """y [T, B, N], each step a sum over all before it."""
    response = kernel(len(x), options["ssm"], parameters)
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    toeplitz = np.where(lag[..., None] >= 0, response[np.maximum(lag, 0)], 0.0)  # [T, T, N]
    return np.einsum("tin,ibn->tbn", toeplitz, x) + parameters["d"] * x


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    return np.clip(parameters["gain"] * convolved(x, options, parameters) + parameters["bias"], 0, 1)
