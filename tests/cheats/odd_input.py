"""Right on the inputs that are usual, wrong on others: it clips large ones, takes NaN for 0, or reads strides that are not there."""

from typing import Literal

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def run(
    neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Literal["large", "holes", "strided"] = "large"
) -> Tensor:
    if kind == "large":
        return eager.run(neuron, x.clamp(-4, 4), seed)
    if kind == "holes":
        return eager.run(neuron, x.nan_to_num(0.0), seed)
    if x.is_contiguous():
        return eager.run(neuron, x, seed)
    return eager.run(neuron, x.as_strided(x.shape, (x.shape[1] * x.shape[2], x.shape[2], 1)), seed)
