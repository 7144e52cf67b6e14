"""FPT with dense matrices, and its published gradient by the chain rule, written out round by round."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

Array = NDArray[np.float64]

SMOOTH = False  # the published derivative of a sigmoid is that of a flatter one
OPTIONS: list[dict[str, Any]] = [
    {},
    {"rounds": 2, "decay": 0.8, "threshold": 0.7},
    {"filter": "learned", "rounds": 5},
    {"filter": "learned", "rounds": 1},
]
INPUT = (0.2, 1.0)
TIES: list[dict[str, Any]] = [{"options": {"rounds": 1}, "x": [1.0], "uniforms": 0.5, "spikes": [0]}]
START = [
    ({"filter": "learned"}, "weight", np.tril(0.5 ** np.maximum(np.subtract.outer(np.arange(48), np.arange(48)), 0.0)))
]
START += [({"filter": "learned"}, "bias", -1.0)]


def parts(options: dict[str, Any], parameters: dict[str, Array], steps: int) -> tuple[Array, Array, list[float]]:
    """The matrix, what is added [T, 1, 1], and the sharpness of every round."""
    rounds = options["rounds"]
    sharp = [12.0 if k == rounds - 1 else 3.0 if k else 1.0 for k in range(rounds)]
    if options["filter"] == "learned":
        return np.tril(parameters["weight"]), parameters["bias"][:, :, None], sharp
    lag = np.subtract.outer(np.arange(steps), np.arange(steps))
    leak = np.where(lag >= 0, np.float64(options["decay"]) ** np.maximum(lag, 0), 0.0)
    return leak, np.full((steps, 1, 1), -options["threshold"]), sharp


def rounds_of(x: Array, options: dict[str, Any], parameters: dict[str, Array]) -> tuple[list[Array], list[Array]]:
    """h and p of every round."""
    matrix, added, sharp = parts(options, parameters, len(x))
    back = options["threshold"] * (np.eye(len(x)) - matrix)  # what a spike of the round before does
    h = [np.tensordot(matrix, x, 1) + added]
    p = [expit(sharp[0] * h[0])]
    for a in sharp[1:]:
        h.append(h[0] + np.tensordot(back, p[-1], 1))
        p.append(expit(a * h[-1]))
    return h, p


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    return rounds_of(x, options, parameters)[1][-1]


def gradients(x: Array, g: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> dict[str, Array]:
    """Of Σ g·s by x and what learns: the sample's is 1, that of σ(a·h) is that of σ(c·h), c = max(1, a/3)."""
    matrix, _, sharp = parts(options, parameters, len(x))
    h, p = rounds_of(x, options, parameters)
    theta, by_p, by_x = float(options["threshold"]), g, np.zeros_like(x)
    by_weight, by_bias = np.zeros(matrix.shape), np.zeros((len(x), 1))
    for k in range(len(h) - 1, -1, -1):
        c = max(1.0, sharp[k] / 3)
        e: Array = by_p * (c * expit(c * h[k]) * expit(-c * h[k]))
        fed = x - theta * p[k - 1] if k else x
        by_x += np.tensordot(matrix.T, e, 1)
        by_weight += np.einsum("tbn,ibn->ti", e, fed)
        by_bias += e.sum((1, 2))[:, None]
        by_p = theta * (e - np.tensordot(matrix.T, e, 1))
    return {"x": by_x, "weight": np.tril(by_weight), "bias": by_bias}
