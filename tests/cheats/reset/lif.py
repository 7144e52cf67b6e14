"""Resets in another way than it was asked to."""

from typing import Any, Literal
from unittest.mock import patch

from torch import Tensor

from spikebench.backends import eager
from spikebench.neurons.lif import LIF


def run(neuron: LIF, x: Tensor, seed: int | None = None, *, kind: Literal["none", "hard", "late"] = "none") -> Tensor:
    wrong: dict[str, Any] = {"reset_delay": True} if kind == "late" else {"reset": kind}
    with patch.multiple(neuron, **wrong):
        return eager.run(neuron, x, seed)
