"""Right spikes, another surrogate, another slope, or a reset that is not differentiated."""

from typing import Any, Literal
from unittest.mock import patch

from torch import Tensor

from spikebench.backends import eager
from spikebench.neurons.lif import LIF

WRONG: dict[str, dict[str, Any]] = {
    "shape": {"surrogate": "sigmoid"},
    "slope": {"slope": 2.001},
    "detached": {"detach_reset": True},
}


def run(
    neuron: LIF, x: Tensor, seed: int | None = None, *, kind: Literal["shape", "slope", "detached"] = "shape"
) -> Tensor:
    out = eager.run(neuron, x, seed)
    with patch.multiple(neuron, **WRONG[kind]):
        wrong = eager.run(neuron, x, seed)
    return wrong + (out - wrong).detach()
