"""GLIF as a sum over input steps of what all gates between have left, as one product per pair of steps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"alpha": 0.1, "beta": 0.9, "gamma": 0.95, "tau": 0.8, "leak": 0.05},
    {"alpha": 0.9, "beta": 0.2, "gamma": 0.05, "threshold": 0.7, "conduct": 0.9},
]
OPTIONS += [{"random_gates": True}, {"surrogate": "rectangle", "slope": 1.0}]
INPUT = (0.3, 1.0)
TIES: list[dict[str, Any]] = [{"parameters": {"alpha": 99.0, "beta": -999.0, "theta": 0.0}, "x": [0.5], "spikes": [1]}]
START = [
    ({"alpha": 0.8}, "alpha", np.log(0.65 / 0.35)),
    ({"tau": 0.2}, "tau", np.log(0.2 / 0.8)),
    *(
        (
            {"random_gates": True},
            gate,
            lambda p: np.abs(p).max() <= 0.1 and len({*p.tolist()}) == len(p) and p.std() > 0.01,
        )
        for gate in ("alpha", "beta", "gamma")
    ),
]  # a gate half way to 0.5


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    p = {name: sigmoid(value) for name, value in parameters.items()}
    before = np.concatenate([np.zeros_like(s[:1]), s[:-1]])
    gate = (1 - p["alpha"] * (1 - p["tau"])) * (1 - p["gamma"] * before)  # [T, B, N]
    drive = x * (1 - p["beta"] * (1 - p["g"][:, None])) - (1 - p["alpha"]) * p["leak"]
    drive = drive - (1 - p["gamma"]) * p["v_re"] * before
    u = np.zeros_like(x)
    for t in range(len(x)):
        for i in range(t + 1):
            u[t] += drive[i] * np.prod(gate[i + 1 : t + 1], axis=0)
    return u


def spikes(u: Array, options: dict[str, Any], parameters: dict[str, Array], uniforms: Array | None) -> Array:
    return (u >= sigmoid(parameters["theta"])).astype(float)


def argument(x: Array, s: Array, held: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """The surrogate's argument; only spikes `s` carry a gradient, `held` do not."""
    return membrane(x, s, options, parameters) - sigmoid(parameters["theta"])
