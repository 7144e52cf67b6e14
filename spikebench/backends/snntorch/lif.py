"""snnTorch's Leaky, one call per step, as its documentation uses it; the loop takes x.unbind(0), not x[t].

layer=state_leaky is its StateLeaky, a LIF without a reset: one causal convolution as long as the input, in O(T²). It
decays by exp(−1/tau) where tau = 1/(1 − beta), not by beta; here tau is set so that the decay is the neuron's.
"""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import snntorch
import torch
from snntorch import surrogate
from snntorch._neurons.stateleaky import StateLeaky
from torch import Tensor

from spikebench.backend import beyond, neighbour
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("layer",)
RESETS = {"soft": "subtract", "hard": "zero", "none": "none"}
SURROGATES: dict[str, Callable[[float], Callable[[Tensor], Tensor]]] = {
    "atan": surrogate.atan,
    "fast_sigmoid": surrogate.fast_sigmoid,
}


CAN = {
    "dtype": ("float32",),  # its spikes are float32 whatever the input is
    "surrogate": ("atan", "fast_sigmoid"),
    "synapse_decay": (None,),
    "learn_decay": (False,),
    "learn_threshold": (False,),
    "shared": (True,),
    "refractory": (0,),
}
NEEDS = (
    ({"layer": "state_leaky"}, "reset", ("none",), "its StateLeaky has no reset"),
    ({"reset": "soft"}, "detach_reset", (True,), "its reset is always detached"),
    ({"reset": "hard"}, "detach_reset", (True,), "its reset is always detached"),
    ({"reset": "soft"}, "reset_delay", (True,), "else it resets again when the membrane stays above threshold"),
    ({"reset": "soft"}, "strict", (True,), "it compares with >, and its soft reset subtracts the very threshold"),
)


def refuses(case: "Case") -> str | None:
    """What Leaky cannot be set to: see CAN and NEEDS. Its reset comes one step later (`reset_delay=True`)."""
    reason, decay = beyond(case, "snntorch", "1.0"), case.options["decay"]
    if reason is None and case.parsed.all_how["layer"] == "state_leaky" and not 0 < decay < 1:
        return f"snntorch's StateLeaky has a decay between 0 and 1, not decay={decay}"
    return reason


def run(neuron: LIF, x: Tensor, seed: int | None = None, *, layer: Literal["leaky", "state_leaky"] = "leaky") -> Tensor:
    """Spikes [T, B, N]; an input scale is a multiplication before the loop, as snnTorch has none."""
    scaled = x if neuron.input_scale == "one" else (1 - neuron.decay) * x
    if layer == "state_leaky":
        return _made(neuron, _state_leaky, x.shape[2]).to(x.device)(scaled)[0]
    leaky = _made(neuron, _leaky).to(x.device)
    membrane, spikes = leaky.reset_mem(), []
    for x_t in scaled.unbind(0):
        s, membrane = leaky(x_t, membrane)
        spikes.append(s)
    return torch.stack(spikes)


class _Common(NamedTuple):
    """What both of their neurons are made with: our threshold as their comparison needs it, and our surrogate."""

    threshold: float
    spike_grad: Callable[[Tensor], Tensor]


def _made(neuron: LIF, make: Any, *sizes: int) -> Any:
    """Their neuron with our constants, made once."""
    if "_snntorch" not in vars(neuron):
        threshold = float(neuron.threshold)
        common = _Common(
            threshold if neuron.strict else neighbour(threshold, torch.float32, up=False),
            SURROGATES[neuron.surrogate](neuron.slope),
        )
        object.__setattr__(neuron, "_snntorch", make(neuron, common, *sizes))
    return vars(neuron)["_snntorch"]


def _leaky(neuron: LIF, common: _Common) -> Any:
    given = {"reset_mechanism": RESETS[neuron.reset], "reset_delay": True, **common._asdict()}
    return snntorch.Leaky(beta=float(neuron.decay), **given)


def _state_leaky(neuron: LIF, common: _Common, channels: int) -> Any:
    tau = -1 / math.log(float(neuron.decay))
    made = StateLeaky(beta=1 - 1 / tau, channels=channels, **common._asdict())
    made.tau.fill_(tau)  # 1 - beta in float32 has lost digits of it
    return made
