"""PMSN from the chain of compartments itself at the start, else from powers of its eigenvalues, and a soma with a loop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "computes the imaginary part of its output too"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [{}, {"state": 2, "threshold": 0.4}, {"state": 1}]
INPUT = (0.1, 1.0)
TIES: list[dict[str, Any]] = [
    {"parameters": {"c_real": 0.0, "c_imag": 0.0, "d": 1.0}, "x": [1.0, 0.5, 0.75, 2.0], "spikes": [1, 0, 1, 1]}
]


def response(state: int, dt: Array, steps: int) -> Array:
    """What the last of a chain of compartments gives after a unit input into all, zero-order hold: [T, N]."""
    chain = (
        np.diag(np.full(state, -0.5)) + np.diag(5.0 * np.arange(1, state), 1) - np.diag(5.0 * np.arange(1, state), -1)
    )
    values, vectors = np.linalg.eig(chain)
    inverse = np.linalg.inv(vectors)
    out = []
    for step in dt:
        held = vectors @ np.diag((np.exp(values * step) - 1) / values) @ inverse
        forward = vectors @ np.diag(np.exp(values * step)) @ inverse
        out.append([(np.linalg.matrix_power(forward, t) @ held @ np.ones(state))[-1].real for t in range(steps)])
    return np.array(out).T


START = [
    ({}, "log_decay", np.log(0.5)),
    ({}, "log_dt", lambda p: np.all((p >= np.log(0.001)) & (p <= np.log(0.1))) and len({*p.tolist()}) == len(p)),
    ({}, "d", lambda p: p.min() < 0 < p.max()),
]


def kernel(p: dict[str, Array], steps: int) -> Array:
    """Response of Re Σ c·h to a unit input: [T, N]."""
    rate, b, c = (
        1j * p["omega"] - np.exp(p["log_decay"]),
        p["b_real"] + 1j * p["b_imag"],
        p["c_real"] + 1j * p["c_imag"],
    )
    step = np.exp(p["log_dt"])
    return np.array(
        [(c * np.exp(t * rate * step) * np.expm1(rate * step) / rate * b).sum(0).real for t in range(steps)]
    )


def dendrite(x: Array, parameters: dict[str, Array]) -> tuple[Array, Array]:
    """y [T, B, N], and the matrix [T, T, N] from input to it."""
    response = kernel(parameters, len(x))
    response[0] += parameters["d"]
    lag = np.subtract.outer(np.arange(len(x)), np.arange(len(x)))
    matrix = np.where(lag[..., None] >= 0, response[np.maximum(lag, 0)], 0.0)
    return np.einsum("tin,ibn->tbn", matrix, x), matrix


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    y, rest, v = dendrite(x, parameters)[0], 0.0, np.zeros_like(x)
    for t in range(len(x)):
        v[t] = rest + np.maximum(y[t], 0)
        rest = v[t] - s[t] * options["threshold"] * np.floor(v[t] / options["threshold"])
    return v


def gradients(x: Array, g: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> dict[str, Array]:
    """Of Σ g·s, as published: through what arrives at the soma at the same step, not through what it had; by differences."""
    y, matrix = dendrite(x, parameters)
    v = membrane(x, s, options, parameters)
    e = g * np.maximum(1 - np.abs(v - options["threshold"]), 0) * (y > 0)
    found = {"x": np.einsum("tin,tbn->ibn", matrix, e)}
    for key, value in parameters.items():
        found[key] = np.zeros_like(value)
        for at in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[at] = 1e-5
            more, less = (dendrite(x, parameters | {key: value + sign * step})[0] for sign in (1, -1))
            found[key][at] = (e * (more - less)).sum() / 2e-5
    return found
