"""SLTT: the errors of each step alone, times the spikes of that step."""

from typing import Any

from oracles._stack import Array, Stack, errors_of_steps, forward, summed


def gradients(stack: Stack, x: Array, labels: Any, mask: Any = None) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn."""
    passed = forward(stack, x, labels, mask)
    return float(passed.loss.sum()), summed(errors_of_steps(stack, passed), passed.s)
