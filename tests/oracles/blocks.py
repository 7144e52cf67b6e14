"""The LIF with a refractory period step by step, and the published gradient of its form in blocks, with dense matrices."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MORE = "computes every block by doubling, before it is known where a spike is"  # than the equation needs
OPTIONS: list[dict[str, Any]] = [{}, {"refractory": 1, "gradient": "lif"}, {"refractory": 4, "decay": 0.99}]
INPUT = (0.5, 1.0)
TIES: list[dict[str, Any]] = [
    {"options": {"refractory": 2, "decay": 0.5}, "x": [1.0, 9.0, 9.0, 1.0, 9.0], "spikes": [1, 0, 0, 1, 0]}
]
START = [({"decay": 0.7}, "beta", 0.7)]


def leaks(parameters: dict[str, Array]) -> Array:
    return np.clip(parameters["beta"], 0.001, 0.999)


def free(s: Array, period: int) -> Array:
    """1 where none of the `period` steps before has a spike, else 0."""
    return np.stack([(~(s[max(0, t - period) : t] > 0.5).any(0)).astype(np.float64) for t in range(len(s))])


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    beta, v, u = leaks(parameters), np.zeros_like(x[0]), np.zeros_like(x)
    heard = free(s, options["refractory"])
    for t in range(len(x)):
        u[t] = beta * v + heard[t] * x[t]
        v = u[t] * (1 - s[t])
    return u


def gradients(x: Array, g: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> dict[str, Array]:
    """Of Σ g·s, from the last block to the first; by_v is the gradient by what a block hands on."""
    size, beta = options["refractory"] + 1, leaks(parameters)
    by_x, by_beta, by_v = np.zeros_like(x), np.zeros_like(beta), np.zeros_like(x[0])
    for start in reversed(range(0, len(x), size)):
        at = slice(start, min(start + size, len(x)))
        entering = membrane_before(x, s, options, parameters, start)
        open_ = heard_in_block(s, start, at, size)
        block = x[at] * open_
        steps = len(block)
        lag = np.subtract.outer(np.arange(steps), np.arange(steps))
        leak = np.where(lag[..., None] >= 0, beta ** np.maximum(lag, 0)[..., None], 0.0)  # [t, i, N]
        u = np.einsum("tin,ibn->tbn", leak, np.concatenate([block[:1] + beta * entering, block[1:]]))
        if options["gradient"] == "lif":
            over = np.cumsum(u >= 1, 0) - (u >= 1)
            by_fired = g[at] * (over == 0)
        else:
            by_fired = np.einsum("ti,tbn->ibn", np.maximum(lag + 1, 0), g[at])
        e = by_fired / (10 * np.abs(u - 1) + 1) ** 2
        e[-1] += by_v * (s[at].sum(0) == 0)
        by_i = np.einsum("tin,tbn->ibn", leak, e)
        by_x[at] = by_i * open_
        by_v = beta * by_i[0]
        by_beta += (by_i[0] * entering).sum(0)
        slope = np.where(lag[..., None] > 0, lag[..., None] * beta ** np.maximum(lag - 1, 0)[..., None], 0.0)
        whole = np.concatenate([block[:1] + beta * entering, block[1:]])
        by_beta += np.einsum("tin,ibn,tbn->n", slope, whole, e)
    inside = (parameters["beta"] >= 0.001) & (parameters["beta"] <= 0.999)
    return {"x": by_x, "beta": by_beta * inside}


def heard_in_block(s: Array, start: int, at: slice, size: int) -> Array:
    """1 where the input is heard as far as spikes of earlier blocks go: a block's own does not silence its rest."""
    only = s.copy()
    only[start:] = 0
    return free(only, size - 1)[at]


def membrane_before(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array], start: int) -> Array:
    """What the block that begins at `start` starts from: the last u before it, or 0 if its block had a spike."""
    if start == 0:
        return np.zeros_like(x[0])
    u = membrane(x, s, options, parameters)
    return u[start - 1] * (s[start - options["refractory"] - 1 : start].sum(0) == 0)
