"""SLTT-K: SLTT with the loss and the outer products of the K steps that torch draws."""

from typing import Any

import torch

from oracles._stack import Array, Stack, errors_of_steps, forward, summed

OPTIONS: list[dict[str, Any]] = [{}, {"k": 4}, {"k": 100}]


def gradients(stack: Stack, x: Array, labels: Any, mask: Any = None, k: int = 2) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn."""
    steps = torch.randperm(len(x))[:k].tolist()
    passed = forward(stack, x, labels, mask)
    return float(passed.loss[steps].sum()), summed(errors_of_steps(stack, passed), passed.s, steps)
