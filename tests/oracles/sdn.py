"""SDN with its network written out as a sum over the eight steps before each, channel by channel."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikebench.neurons.sdn import WEIGHTS

Array = NDArray[np.float64]

SMOOTH = False  # no gradient goes through the network
OPTIONS: list[dict[str, Any]] = [{}, {"threshold": 0.5, "surrogate": "atan", "slope": 2.0}]
INPUT = (0.3, 1.0)
TIES: list[dict[str, Any]] = []  # the network's sums are no numbers that can be hit exactly


def network(y: Array) -> Array:
    """P [T, B, N], from the file and not from the neuron."""
    w = {k: np.asarray(v, np.float32).astype(float) for k, v in json.loads(WEIGHTS.read_text())["weights"].items()}
    out = np.zeros_like(y)
    for t in range(len(y)):
        seen = [np.full(y.shape[1:], b) for b in w["window_bias"]]
        for j in range(8):
            for lag in range(1, min(t, 8) + 1):
                seen[j] += w["window"][j, 8 - lag] * y[t - lag]
        seen = [np.maximum(r, 0) for r in seen]
        out[t] = w["out_bias"][0]
        for j in range(8):
            mixed = w["mix_bias"][j] + seen[j] + sum(w["mix"][j, i] * seen[i] for i in range(8))
            out[t] += w["out"][0, j] * np.maximum(mixed, 0)
    return out


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    y = x / options["threshold"]
    return options["threshold"] * (network(y) + y)


def gradients(x: Array, g: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> dict[str, Array]:
    """Of Σ g·s, with what the network gives held fixed."""
    z = membrane(x, s, options, parameters) / options["threshold"] - 1
    slope = np.maximum(1 - np.abs(z), 0) if options["surrogate"] == "triangle" else 1 / (1 + (np.pi * z) ** 2)
    return {"x": g * slope / options["threshold"]}
