"""SiLIF as one matrix of a neuron's two states per step, raised to every power: a sum over all inputs and spikes before."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "computes its decays from the logarithms in every step"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [{}, {"detach_reset": True, "threshold": 0.6}, {"surrogate": "atan", "slope": 3.0}]
INPUT = (3.0, 6.0)
TIES: list[dict[str, Any]] = []  # the input is multiplied by 1 − α, which no choice of the logarithms makes exact
START = [
    ({}, "log_dt", np.log(0.004)),
    ({}, "log_alpha", lambda p: np.all((p >= np.log(10)) & (p <= np.log(250))) and len({*p.tolist()}) == len(p)),
    ({}, "log_beta", lambda p: np.all((p >= np.log(2.5)) & (p <= np.log(10))) and len({*p.tolist()}) == len(p)),
    ({}, "a", lambda p: np.all((p >= 0) & (p <= 1)) and len({*p.tolist()}) == len(p)),
    ({}, "b", lambda p: np.all((p >= 0) & (p <= 2)) and p.max() > 1),
]


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    return np.stack([alone(x[..., n], s[..., n], options, parameters, n) for n in range(x.shape[-1])], -1)


def alone(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array], n: int) -> Array:
    """u of neuron n [T, B]: (u, w)_t = M (u, w)_{t-1} + enter·x_t + fed·s_{t-1}, from powers of M."""
    p = {key: float(value[n]) for key, value in parameters.items()}
    alpha, beta = (np.exp(-np.exp(p[key]) * np.exp(p["log_dt"])) for key in ("log_alpha", "log_beta"))
    a, b = np.clip(p["a"], 0, 1), np.clip(p["b"], 0, 2)
    adapt = np.array([[alpha - (1 - alpha) * a, -(1 - alpha) * beta], [a, beta]])
    enter, fed = np.array([1 - alpha, 0.0]), np.array([-alpha * options["threshold"] - (1 - alpha) * b, b])
    powers = [np.linalg.matrix_power(adapt, k) for k in range(len(x))]
    by_input, by_spike = (np.array([(q @ v)[0] for q in powers]) for v in (enter, fed))
    u = np.zeros_like(x)
    for k in range(len(x)):
        u[k:] += by_input[k] * x[: len(x) - k]
        u[k + 1 :] += by_spike[k] * s[: len(x) - k - 1]
    return u
