"""LIF from dense matrices: u = A i − threshold·B s, or under hard reset a sum over the steps since the last spike."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OPTIONS: list[dict[str, Any]] = [
    {},
    {"decay": 0.99, "threshold": 0.05, "input_scale": "1-decay"},
    {"reset": "hard", "decay": 0.8},
    {"reset": "hard", "input_scale": "1-decay", "synapse_decay": 0.7, "strict": True, "threshold": 0.3},
    {"reset": "none", "synapse_decay": 0.95},
    {"reset_delay": True, "threshold": 1.3, "learn_decay": True},
    {"detach_reset": True, "learn_threshold": True, "threshold": 0.6},
    {"shared": False, "spread": 0.3, "threshold": 0.7},
    {"shared": False, "spread": 0.5, "learn_decay": True, "learn_threshold": True, "reset": "hard", "decay": 0.7},
    {
        "bounded": True,
        "learn_decay": True,
        "learn_threshold": True,
        "decay": 0.8,
        "input_scale": "1-decay",
        "threshold": 0.2,
    },
    {"bounded": True, "shared": False, "spread": 0.2, "learn_decay": True, "synapse_decay": 0.6},
    {"bounded": True, "learn_threshold": True, "threshold": -0.3, "decay": 0.5},
    {"refractory": 2, "threshold": 0.5, "decay": 0.8},
    {"refractory": 3, "reset": "hard", "detach_reset": True, "synapse_decay": 0.7, "threshold": 0.5},
    {"surrogate": "rectangle", "slope": 0.5},
]
TIES: list[dict[str, Any]] = [
    {"options": {"decay": 0.5}, "x": [1.0, 1.0, 0.5], "spikes": [1, 1, 0]},
    {"options": {"decay": 0.5, "reset": "hard"}, "x": [1.0, 0.5], "spikes": [1, 0]},
    {"options": {"decay": 0.5, "strict": True}, "x": [1.0, 0.5, 0.75], "spikes": [0, 0, 1]},
    {"options": {"decay": 0.5, "refractory": 2}, "x": [1.0, 9.0, 9.0, 1.0, 9.0], "spikes": [1, 0, 0, 1, 0]},
]
START = [
    ({"learn_decay": True, "decay": 0.7}, "decay", 0.7),
    ({"learn_threshold": True, "threshold": 0.6}, "threshold", 0.6),
    ({"bounded": True, "learn_decay": True, "decay": 0.8}, "decay_logit", np.log(0.8 / 0.2)),
    ({"shared": False}, "decay", lambda p: p.shape == (5,) and np.allclose(p, 0.9)),
    (
        {"shared": False, "spread": 0.5},
        "decay",
        lambda p: len({*p.tolist()}) == 5 and 0.85 <= p.min() < p.max() <= 0.95,
    ),
    (
        {"shared": False, "spread": 0.5},
        "threshold",
        lambda p: len({*p.tolist()}) == 5 and 0.5 <= p.min() < p.max() < 1.5,
    ),
]


def powers(decay: float, steps: int, first: int = 0) -> Array:
    """decay^(t−i−first) where t − i ≥ first, else 0."""
    lag = np.subtract.outer(np.arange(steps), np.arange(steps)) - first
    return np.where(lag >= 0, np.float64(decay) ** np.maximum(lag, 0), 0.0)


def unreset(s: Array) -> Array:
    """Π (1 − s_k) over k = i..t−1 where i ≤ t: 1 if no spike lies there, else 0: [t, i, B, N]."""
    return np.array([[np.prod(1 - s[i:t], axis=0) for i in range(len(s))] for t in range(len(s))])


def constants(options: dict[str, Any], parameters: dict[str, Array]) -> tuple[Array, Array]:
    """Decay and threshold, of each neuron or of all."""
    decay = parameters.get("decay", np.array(options["decay"]))
    if "decay_logit" in parameters:
        decay = 1 / (1 + np.exp(-parameters["decay_logit"]))
    threshold = parameters.get("threshold", np.array(options["threshold"]))
    return np.asarray(decay), np.asarray(np.maximum(threshold, 0) if options["bounded"] else threshold)


def free(s: Array, options: dict[str, Any]) -> Array:
    """1 where none of the `refractory` steps before has a spike, else 0."""
    period, out = options["refractory"], np.ones_like(s)
    for t in range(len(s) if period else 0):
        out[t] = 1 - (s[max(0, t - period) : t] > 0.5).any(0)
    return out


def membrane(x: Array, s: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    decays, thresholds = (np.broadcast_to(value, x.shape[-1:]) for value in constants(options, parameters))
    each = [alone(x[..., [n]], s[..., [n]], options, decays[n], thresholds[n]) for n in range(x.shape[-1])]
    return np.concatenate(each, -1)


def alone(x: Array, s: Array, options: dict[str, Any], decay: float, threshold: float) -> Array:
    """The membrane of one neuron [T, B, 1]."""
    steps = len(x)
    current = x if options["synapse_decay"] is None else np.tensordot(powers(options["synapse_decay"], steps), x, 1)
    if options["input_scale"] == "1-decay":
        current = (1 - decay) * current
    current = current * free(s, options)
    leak = powers(decay, steps)
    if options["reset"] == "hard":
        return np.einsum("ti,tibn,ibn->tbn", leak, unreset(s), current)
    u = np.tensordot(leak, current, 1)
    if options["reset"] == "none":
        return u
    late = powers(decay, steps, first=1)
    return u - threshold * np.tensordot(late if options["reset_delay"] else decay * late, s, 1)


def argument(x: Array, s: Array, held: Array, options: dict[str, Any], parameters: dict[str, Array]) -> Array:
    """The surrogate's argument, far below where no spike can be; only spikes `s` carry a gradient, `held` do not."""
    u = membrane(x, held if options["detach_reset"] else s, options, parameters)
    return np.where(free(held, options) > 0, u - constants(options, parameters)[1], -1e12)


def spikes(u: Array, options: dict[str, Any], parameters: dict[str, Array], uniforms: Array | None) -> Array:
    threshold = constants(options, parameters)[1]
    over = (u > threshold if options["strict"] else u >= threshold).astype(float)
    fired = np.zeros_like(over)
    for t in range(len(u)):
        fired[t] = over[t] * (fired[max(0, t - options["refractory"]) : t] == 0).all(0)
    return fired
