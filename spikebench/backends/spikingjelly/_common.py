"""What our adapters for SpikingJelly share: its surrogates that equal ours, and how its parallel neurons are made."""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from spikingjelly.activation_based import surrogate
from torch import Tensor, nn

from spikebench.backend import beyond

if TYPE_CHECKING:
    from spikebench.cases.case import Case

SURROGATES: dict[str, type[nn.Module]] = {
    "atan": surrogate.ATan,
    "sigmoid": surrogate.Sigmoid,
    "triangle": surrogate.PiecewiseQuadratic,
    "fast_sigmoid": surrogate.SuperSpike,  # alpha/(1 + |z|)²: ours at slope 1 only
}


def lacking(case: "Case", **can: tuple[Any, ...]) -> str | None:
    """Why SpikingJelly has not this case: its options beyond `can`, or its surrogate."""
    reason = beyond(case, "spikingjelly", "2.0", surrogate=tuple(SURROGATES), **can)
    if reason is None and case.options["surrogate"] == "fast_sigmoid" and case.options["slope"] != 1.0:
        return f"spikingjelly's SuperSpike is the fast sigmoid of slope 1, not {case.options['slope']}"
    return reason


def parallel(neuron: Any, x: Tensor, make: Callable[[Any], Any]) -> Any:
    """Their parallel neuron, made once from a surrogate, with the weights of ours."""
    if "_spikingjelly" not in vars(neuron):
        with torch.random.fork_rng():  # its own start is not used
            made = make(SURROGATES[neuron.surrogate](alpha=neuron.slope))
        object.__setattr__(neuron, "_spikingjelly", made.to(x.device, x.dtype))
    layer = vars(neuron)["_spikingjelly"]
    layer.weight, layer.bias = neuron.weight, neuron.bias
    return layer
