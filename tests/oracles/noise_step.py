"""The noise-trained single step: the outer products of one step, with the noise that torch draws."""

from typing import Any

import numpy as np
import torch

from oracles._stack import Array, Stack, of_mean

OPTIONS: list[dict[str, Any]] = [{}, {"mean": 0.5, "spread": 0.1}]


def gradients(
    stack: Stack, x: Array, labels: Any, mask: Any = None, mean: float = 0.0, spread: float = 0.3
) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn."""
    valid = np.ones(x.shape[:2]) if mask is None else mask.astype(float)
    s, u = [np.einsum("tb,tbc->bc", valid, x) / valid.sum(0)[:, None]], list[Array]()
    for weight, bias in zip(stack.weights[:-1], stack.biases[:-1], strict=True):
        noise = torch.randn(x.shape[1], len(bias), dtype=torch.float64).numpy()
        u.append(s[-1] @ weight.T + bias + mean + spread * noise)
        s.append((u[-1] >= stack.threshold).astype(float))
    total, found = 0.0, list[Any]()
    found += [np.zeros_like(v) for pair in zip(stack.weights, stack.biases, strict=True) for v in pair]
    for b in range(x.shape[1]):
        loss, delta = of_mean(stack.weights[-1] @ s[-1][b] + stack.biases[-1], labels[b], x.shape[1])
        total += loss
        for layer in reversed(range(len(stack.weights))):
            found[2 * layer] += np.outer(delta, s[layer][b])
            found[2 * layer + 1] += delta
            if layer:
                delta = stack.weights[layer].T @ delta * stack.slopes(u[layer - 1][b])
    return total, found
