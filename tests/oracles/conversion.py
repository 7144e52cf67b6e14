"""Conversion: the outer products of a ReLU network on the mean input, sample by sample; its activations may be clipped."""

from typing import Any

import numpy as np

from oracles._stack import Array, Stack, of_mean

OPTIONS: list[dict[str, Any]] = [{}, {"bound": "maximum"}, {"bound": "percentile", "share": 0.9}]
RESETS = ("soft",)
LIF = "lif[decay=1.0,surrogate=sigmoid,slope=4.0]"


def gradients(
    stack: Stack,
    x: Array,
    labels: Any,
    mask: Any = None,
    bound: str = "percentile",
    share: float = 0.999,
    tops: list[float] | None = None,
) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn; how the network is converted makes no difference."""
    valid = np.ones(x.shape[:2]) if mask is None else mask.astype(float)
    top = [np.inf] * len(stack.weights) if tops is None else tops
    total, found = 0.0, list[Any]()
    found += [np.zeros_like(v) for pair in zip(stack.weights, stack.biases, strict=True) for v in pair]
    for b in range(x.shape[1]):
        a, u = [valid[:, b] @ x[:, b] / valid[:, b].sum()], list[Array]()
        for weight, bias, most in zip(stack.weights[:-1], stack.biases[:-1], top, strict=False):
            u.append(weight @ a[-1] + bias)
            a.append(np.minimum(np.maximum(u[-1], 0), most))
        loss, delta = of_mean(stack.weights[-1] @ a[-1] + stack.biases[-1], labels[b], x.shape[1])
        total += loss
        for layer in reversed(range(len(stack.weights))):
            found[2 * layer] += np.outer(delta, a[layer])
            found[2 * layer + 1] += delta
            if layer:
                delta = (stack.weights[layer].T @ delta) * ((u[layer - 1] > 0) & (u[layer - 1] < top[layer - 1]))
    return float(total), found
