"""OTTT: the errors of each step alone, times the traces of what came before."""

from typing import Any

from oracles._stack import Array, Stack, errors_of_steps, forward, summed, trace

OPTIONS: list[dict[str, Any]] = [{}, {"input_trace": True}, {"readout_trace": False}, {"update": "online"}]


def gradients(
    stack: Stack,
    x: Array,
    labels: Any,
    mask: Any = None,
    update: str = "sum",
    input_trace: bool = False,
    readout_trace: bool = True,
) -> tuple[float, list[Array]]:
    """The loss, and the gradient of every weight and bias in turn; weights that stay make no difference to `update`."""
    passed = forward(stack, x, labels, mask)
    traced = [input_trace, *[True] * (len(passed.s) - 2), readout_trace]
    before = [trace(s, stack.decay) if wanted else s for s, wanted in zip(passed.s, traced, strict=True)]
    return float(passed.loss.sum()), summed(errors_of_steps(stack, passed), before)
