"""A stack of linear layers and LIF neurons with a readout at every step, in NumPy: the forward pass, the loss and its errors."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
MSE = 0.05


@dataclass
class Stack:
    """Weights [M, N] and biases [M] of the layers, the last of which is the readout; the neurons' decay, threshold and reset."""

    weights: list[Array]
    biases: list[Array]
    decay: float = 0.5
    threshold: float = 1.0
    reset: str = "soft"
    slope: float = 4.0

    def slopes(self, u: Array) -> Array:
        """The surrogate at membranes u: a sigmoid's derivative."""
        p = 1 / (1 + np.exp(-self.slope * (u - self.threshold)))
        return self.slope * p * (1 - p)


@dataclass
class Passed:
    """What a forward pass gave: inputs s and membranes u of every layer, [T, B, N]; the loss, and its errors by the outputs."""

    s: list[Array]
    u: list[Array]
    loss: Array  # [T]
    error: Array  # [T, B, classes]


def forward(stack: Stack, x: Array, labels: NDArray[np.int64], mask: NDArray[np.bool_] | None = None) -> Passed:
    """One neuron after the other, one step after the other."""
    steps, batch, _ = x.shape
    s, us = [x], []
    for weight, bias in zip(stack.weights[:-1], stack.biases[:-1], strict=True):
        out, u = np.zeros((steps, batch, len(bias))), np.zeros((steps, batch, len(bias)))
        v = np.zeros((batch, len(bias)))
        for t in range(steps):
            u[t] = stack.decay * v + s[-1][t] @ weight.T + bias
            out[t] = u[t] >= stack.threshold
            v = u[t] - stack.threshold * out[t] if stack.reset == "soft" else u[t] * (1 - out[t])
        us.append(u)
        s.append(out)
    o = s[-1] @ stack.weights[-1].T + stack.biases[-1]
    valid = np.ones((steps, batch)) if mask is None else mask.astype(float)
    share = valid / valid.sum(0) / batch  # [T, B]
    p = np.exp(o - o.max(-1, keepdims=True))
    p /= p.sum(-1, keepdims=True)
    hot = np.eye(o.shape[-1])[labels]  # [B, classes]
    entropy = -np.log((p * hot).sum(-1))
    squared = ((o - hot) ** 2).mean(-1)
    error = (1 - MSE) * (p - hot) + MSE * 2 * (o - hot) / o.shape[-1]
    return Passed(s, us, (share * ((1 - MSE) * entropy + MSE * squared)).sum(1), share[..., None] * error)


def errors_of_steps(stack: Stack, passed: Passed) -> list[Array]:
    """δ^l_t by every layer's currents, of each step alone."""
    found = [passed.error]
    for weight, u in zip(stack.weights[:0:-1], passed.u[::-1], strict=True):
        found.insert(0, found[0] @ weight * stack.slopes(u))
    return found


def summed(deltas: list[Array], before: list[Array], steps: Any = None) -> list[Array]:
    """Σ_t Σ_b δ aᵀ and Σ_t Σ_b δ, for every layer in turn, one outer product after the other."""
    found: list[Array] = []
    for delta, a in zip(deltas, before, strict=True):
        weight, bias = np.zeros((delta.shape[-1], a.shape[-1])), np.zeros(delta.shape[-1])
        for t in range(len(delta)) if steps is None else steps:
            for b in range(delta.shape[1]):
                weight += np.outer(delta[t, b], a[t, b])
                bias += delta[t, b]
        found += [weight, bias]
    return found


def trace(s: Array, decay: float) -> Array:
    """Σ_{k ≤ t} λ^{t−k} s_k."""
    return np.array([sum(decay ** (t - k) * s[k] for k in range(t + 1)) for t in range(len(s))])


def of_mean(o: Array, label: int, batch: int) -> tuple[float, Array]:
    """The loss of one sample's output [classes], divided by the batch, and its error by the output."""
    p = np.exp(o - o.max())
    p /= p.sum()
    hot = np.eye(len(o))[label]
    loss = -(1 - MSE) * np.log(p[label]) + MSE * ((o - hot) ** 2).mean()
    return float(loss) / batch, ((1 - MSE) * (p - hot) + MSE * 2 * (o - hot) / len(o)) / batch
