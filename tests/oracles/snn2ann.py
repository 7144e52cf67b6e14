"""SNN2ANN: spike counts of the stack, and the outer products of the ANN branch, sample by sample."""

from typing import Any

import numpy as np

from oracles._stack import Array, Stack, forward, of_mean

OPTIONS: list[dict[str, Any]] = [{}, {"unit": "stsu"}]


def gradients(stack: Stack, x: Array, labels: Any, mask: Any = None, unit: str = "resu") -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn."""
    passed, valid = forward(stack, x, labels, mask), np.ones(x.shape[:2]) if mask is None else mask.astype(float)
    total, found = 0.0, [np.zeros_like(v) for pair in zip(stack.weights, stack.biases, strict=True) for v in pair]
    for b in range(x.shape[1]):
        steps = valid[:, b].sum()
        z, active = [valid[:, b] @ x[:, b]], list[Array]()
        for weight, bias, s in zip(stack.weights[:-1], stack.biases[:-1], passed.s[1:], strict=True):
            active.append((weight @ z[-1] + steps * bias > 0).astype(float))
            n = valid[:, b] @ s[:, b]
            z.append(n * active[-1] if unit == "resu" else n)
        loss, delta = of_mean(stack.weights[-1] @ z[-1] / steps + stack.biases[-1], labels[b], x.shape[1])
        total += loss
        found[-1] += delta
        found[-2] += np.outer(delta, z[-1]) / steps
        back = stack.weights[-1].T @ delta / steps
        for layer in reversed(range(len(active))):
            here = back * active[layer]
            found[2 * layer] += np.outer(here, z[layer])
            found[2 * layer + 1] += here * steps
            back = stack.weights[layer].T @ here
    return total, found
