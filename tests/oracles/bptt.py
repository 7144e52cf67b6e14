"""BPTT through LIF by its adjoint: from the last step to the first, the reset differentiated too."""

from typing import Any

import numpy as np

from oracles._stack import Array, Stack, forward, summed


def gradients(stack: Stack, x: Array, labels: Any, mask: Any = None) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn."""
    passed = forward(stack, x, labels, mask)
    deltas = [passed.error]
    for weight, u, s in zip(stack.weights[:0:-1], passed.u[::-1], passed.s[:0:-1], strict=True):
        by_spike, delta, later = deltas[0] @ weight, np.zeros_like(u), np.zeros_like(u[0])
        for t in reversed(range(len(u))):
            kept, by_reset = (1.0, stack.threshold) if stack.reset == "soft" else (1 - s[t], u[t])
            delta[t] = later * kept + stack.slopes(u[t]) * (by_spike[t] - later * by_reset)
            later = stack.decay * delta[t]
        deltas.insert(0, delta)
    return float(passed.loss.sum()), summed(deltas, passed.s)
