"""The Hoyer spike: the outer products of one step, sample by sample, with a level that is summed element by element."""

from typing import Any

import numpy as np

from oracles._stack import Array, Stack, of_mean

OPTIONS: list[dict[str, Any]] = [
    {},
    {"window": "wide"},
    {"extent": "neuron", "strength": 0.02},
    {"window": "wide", "strength": 0.03},
]


def level(z: Array, extent: str) -> Array:
    """Σ c²/Σ c over all samples and neurons, or over the samples; as [N]."""
    c = np.minimum(np.maximum(z, 0), 1)
    columns = [c.ravel()] * z.shape[1] if extent == "layer" else list(c.T)
    return np.array([sum(v * v for v in each) / sum(each) if sum(each) > 0 else 1.0 for each in columns])


def gradients(
    stack: Stack,
    x: Array,
    labels: Any,
    mask: Any = None,
    window: str = "narrow",
    extent: str = "layer",
    strength: float = 1e-8,
) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn."""
    valid = np.ones(x.shape[:2]) if mask is None else mask.astype(float)
    s, z = [np.einsum("tb,tbc->bc", valid, x) / valid.sum(0)[:, None]], list[Array]()
    for weight, bias in zip(stack.weights[:-1], stack.biases[:-1], strict=True):
        z.append((s[-1] @ weight.T + bias) / stack.threshold)
        s.append((z[-1] >= level(z[-1], extent)).astype(float))
    sums = [(sum(v for v in each.ravel() if 0 < v) + 0.0, each) for each in (np.minimum(u, 1.0) for u in z)]
    spread = [(one, float((np.maximum(each, 0) ** 2).sum())) for one, each in sums]
    total = strength * sum(one**2 / two for one, two in spread if two)
    found = list[Any]()
    found += [np.zeros_like(v) for pair in zip(stack.weights, stack.biases, strict=True) for v in pair]
    top = 1.0 if window == "narrow" else 2.0
    for b in range(x.shape[1]):
        loss, delta = of_mean(stack.weights[-1] @ s[-1][b] + stack.biases[-1], labels[b], x.shape[1])
        total += loss
        for layer in reversed(range(len(stack.weights))):
            found[2 * layer] += np.outer(delta, s[layer][b])
            found[2 * layer + 1] += delta
            if layer:
                u, (one, two) = z[layer - 1][b], spread[layer - 1]
                by_spike = np.where((u > 0) & (u < top), 0.5, 0.0) * (stack.weights[layer].T @ delta)
                by_spread = np.where((u > 0) & (u < 1), 2 * one * (two - one * u) / two**2, 0.0)
                delta = (by_spike + strength * by_spread) / stack.threshold
    return float(total), found
