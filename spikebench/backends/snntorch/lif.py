"""snnTorch's Leaky, one call per step, as its documentation uses it; the loop takes x.unbind(0), not x[t]."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING, Any

import snntorch
import torch
from snntorch import surrogate
from torch import Tensor

from spikebench.backend import beyond, neighbour
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.case import Case

RESETS = {"soft": "subtract", "hard": "zero", "none": "none"}
SURROGATES: dict[str, Any] = {"atan": surrogate.atan, "fast_sigmoid": surrogate.fast_sigmoid}


def refuses(case: "Case") -> str | None:
    """What Leaky cannot be set to. Its reset is always detached, and comes one step later (`reset_delay=True`)."""
    o = case.options
    reason = beyond(
        case,
        "snntorch",
        "1.0",
        dtype=("float32",),  # its spikes are float32 whatever the input is
        surrogate=tuple(SURROGATES),
        synapse_decay=(None,),
        learn_decay=(False,),
        learn_threshold=(False,),
        detach_reset=(True,) if o["reset"] != "none" else (True, False),
    )
    if reason is None and o["reset"] == "soft":
        if not o["reset_delay"]:
            return "snntorch with reset_delay=False resets again when the membrane stays above threshold after a reset"
        if not o["strict"]:
            return "snntorch compares with >, and its soft reset subtracts the very threshold; take strict=true"
    return reason


def run(neuron: LIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; an input scale is a multiplication before the loop, as snnTorch has none."""
    layer = _layer(neuron).to(x.device)
    membrane, spikes = layer.reset_mem(), []
    for x_t in (x if neuron.input_scale == "one" else (1 - neuron.decay) * x).unbind(0):
        s, membrane = layer(x_t, membrane)
        spikes.append(s)
    return torch.stack(spikes)


def _layer(neuron: LIF) -> Any:
    """Their neuron with our constants, made once."""
    if "_snntorch" not in vars(neuron):
        threshold = float(neuron.threshold)
        made = snntorch.Leaky(
            beta=float(neuron.decay),
            threshold=threshold if neuron.strict else neighbour(threshold, torch.float32, up=False),
            spike_grad=SURROGATES[neuron.surrogate](neuron.slope),
            reset_mechanism=RESETS[neuron.reset],
            reset_delay=True,
        )
        object.__setattr__(neuron, "_snntorch", made)
    return vars(neuron)["_snntorch"]
