"""Proxy learning: the counts of a readout that fires, and the gradient of a ReLU network by finite differences of its output."""

from typing import Any

import numpy as np

from oracles._stack import Array, Stack, forward

STEP = 1e-4


def relu(stack: Stack, a: Array) -> Array:
    """The ReLU network's output."""
    for weight, bias in zip(stack.weights[:-1], stack.biases[:-1], strict=True):
        a = np.maximum(a @ weight.T + bias, 0)
    return a @ stack.weights[-1].T + stack.biases[-1]


def gradients(stack: Stack, x: Array, labels: Any, mask: Any = None) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn: exact, because the output is linear in each of them."""
    passed, valid = forward(stack, x, labels, mask), np.ones(x.shape[:2]) if mask is None else mask.astype(float)
    n, v = np.zeros_like(passed.error[0]), np.zeros_like(passed.error[0])
    for t in range(len(x)):
        u = stack.decay * v + passed.s[-1][t] @ stack.weights[-1].T + stack.biases[-1]
        s = (u >= stack.threshold).astype(float)
        v = u - stack.threshold * s if stack.reset == "soft" else u * (1 - s)
        n += s * valid[t][:, None]
    away = n - np.eye(n.shape[-1])[labels]
    mean = np.einsum("tb,tbc->bc", valid, x) / valid.sum(0)[:, None]
    found: list[Array] = []
    for pair in zip(stack.weights, stack.biases, strict=True):
        for values in pair:
            gradient = np.zeros_like(values)
            for place in np.ndindex(values.shape):
                kept = values[place]
                values[place] = kept + STEP
                more = relu(stack, mean)
                values[place] = kept - STEP
                gradient[place] = (2 * away / away.size * (more - relu(stack, mean))).sum() / (2 * STEP)
                values[place] = kept
            found.append(gradient)
    return float((away**2).mean()), found
