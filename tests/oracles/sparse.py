"""Sparse gradient descent: the adjoint of LIF without the reset, from the last step to the first, of neurons near their threshold."""

from typing import Any

import numpy as np

from oracles._stack import Array, Stack, forward, summed

OPTIONS: list[dict[str, Any]] = [{}, {"reach": 0.5}, {"reach": 100.0}]
RESETS = ("soft",)


def gradients(stack: Stack, x: Array, labels: Any, mask: Any = None, reach: float = 0.2) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn."""
    passed = forward(stack, x, labels, mask)
    deltas = [passed.error]
    for weight, u in zip(stack.weights[:0:-1], passed.u[::-1], strict=True):
        by_spike, delta, later = deltas[0] @ weight, np.zeros_like(u), np.zeros_like(u[0])
        for t in reversed(range(len(u))):
            near = (u[t] > stack.threshold - reach) & (u[t] < stack.threshold + reach)
            delta[t] = later + near * stack.slopes(u[t]) * by_spike[t]
            later = stack.decay * delta[t]
        deltas.insert(0, delta)
    return float(passed.loss.sum()), summed(deltas, passed.s)
