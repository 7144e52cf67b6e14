"""What our adapters for SpikingJelly share: its surrogates that equal ours, and how its parallel neurons are made."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor, nn

SURROGATES: dict[str, type[nn.Module]] = {
    "atan": surrogate.ATan,
    "sigmoid": surrogate.Sigmoid,
    "triangle": surrogate.PiecewiseQuadratic,
    "fast_sigmoid": surrogate.SuperSpike,  # alpha/(1 + |z|)²: ours at slope 1 only
}


def parallel(neuron: Any, x: Tensor, make: Callable[[Any], Any]) -> Any:
    """Their parallel neuron, made once from a surrogate, with the weights of ours."""
    if "_spikingjelly" not in vars(neuron):
        with torch.random.fork_rng():  # its own start is not used
            made = make(SURROGATES[neuron.surrogate](alpha=neuron.slope))
        object.__setattr__(neuron, "_spikingjelly", made.to(x.device, x.dtype))
    layer = vars(neuron)["_spikingjelly"]
    layer.weight, layer.bias = neuron.weight, neuron.bias
    return layer
