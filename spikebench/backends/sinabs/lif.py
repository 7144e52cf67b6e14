"""Sinabs' LIF layer with single spikes. It indexes x[:, t] in its loop: quadratic in T backward."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from sinabs.activation import MembraneReset, MembraneSubtract, SingleSpike
from sinabs.layers import LIF as Theirs
from torch import Tensor

from spikebench.backend import beyond, neighbour
from spikebench.neurons.lif import LIF
from spikebench.numerics.surrogate import Surrogate, derivative

if TYPE_CHECKING:
    from spikebench.cases.case import Case


CAN = {
    "dtype": ("float32",),  # its spikes are float32 whatever the input is
    "reset": ("soft", "hard"),
    "reset_delay": (False,),
    "synapse_decay": (None,),  # it scales the synaptic current by the decay once more
    "learn_decay": (False,),
    "learn_threshold": (False,),
    "shared": (True,),
    "refractory": (0,),
}
NEEDS = (
    ({"reset": "hard"}, "detach_reset", (True,), "its hard reset is a comparison of spikes"),
    ({"reset": "soft"}, "strict", (False,), "it compares with >=, and its soft reset subtracts the very threshold"),
)


def refuses(case: "Case") -> str | None:
    """What the layer cannot be set to: see CAN and NEEDS."""
    return beyond(case, "sinabs", "3.1")


def run(neuron: LIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; the layer gets a view [B, T, N]."""
    layer = _layer(neuron).to(x.device)
    layer.reset_states()
    return layer(x.transpose(0, 1)).transpose(0, 1)


@dataclass
class _Slope:
    """Our surrogate derivative, in the form that they call it."""

    surrogate: Surrogate
    slope: float

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor) -> Tensor:
        return derivative(v_mem - spike_threshold, self.surrogate, self.slope)


@dataclass
class _DetachedSubtract:
    """Their soft reset by spikes that carry no gradient."""

    def __call__(self, spikes: Tensor, state: dict[str, Tensor], threshold: Tensor) -> dict[str, Tensor]:
        return MembraneSubtract()(spikes.detach(), state, threshold)


def _layer(neuron: LIF) -> Any:
    """Their layer with our constants, made once."""
    if "_sinabs" not in vars(neuron):
        threshold = float(neuron.threshold)
        soft = _DetachedSubtract() if neuron.detach_reset else MembraneSubtract()
        made = Theirs(
            tau_mem=1.0,
            spike_threshold=torch.tensor(neighbour(threshold, torch.float32, up=True) if neuron.strict else threshold),
            spike_fn=SingleSpike,
            reset_fn=soft if neuron.reset == "soft" else MembraneReset(),
            surrogate_grad_fn=_Slope(neuron.surrogate, neuron.slope),
            train_alphas=True,
            norm_input=neuron.input_scale == "1-decay",
        )
        made.alpha_mem.requires_grad_(False).fill_(float(neuron.decay))
        object.__setattr__(neuron, "_sinabs", made)
    return vars(neuron)["_sinabs"]
