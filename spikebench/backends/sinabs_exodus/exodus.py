"""The LIF layer of sinabs-exodus: one CUDA kernel over time each way, and PyTorch operations around them."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from sinabs.activation import MaxSpike, MembraneSubtract, MultiSpike, SingleExponential
from sinabs.exodus.layers import LIF as Theirs
from torch import Tensor

from spikebench.backend import beyond
from spikebench.neurons.exodus import Exodus
from spikebench.numerics.surrogate import Surrogate, derivative

if TYPE_CHECKING:
    from spikebench.cases.case import Case


CAN = {
    "dtype": ("float32",),  # it makes its constants float32 whatever the input is
    "synapse_decay": (None,),
    "learn_decay": (False,),
}


def refuses(case: "Case") -> str | None:
    """What the layer cannot be set to."""
    if case.device != "cuda":
        return f"sinabs-exodus has CUDA kernels alone; the case asks for {case.device}"
    return beyond(case, "sinabs-exodus", "2.0")


def run(neuron: Exodus, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; the layer gets a view [B, T, N], and moves time to the end in a copy of its own."""
    if "_sinabs_exodus" not in vars(neuron):
        object.__setattr__(neuron, "_sinabs_exodus", _layer(neuron, x.device).to(x.device))
    layer = vars(neuron)["_sinabs_exodus"]
    layer.reset_states()
    return layer(x.transpose(0, 1)).transpose(0, 1)


@dataclass
class _Slope:
    """Our surrogate derivative, in the form that they call it."""

    surrogate: Surrogate
    slope: float

    def __call__(self, v_mem: Tensor, spike_threshold: Tensor) -> Tensor:
        return derivative(v_mem - spike_threshold, self.surrogate, self.slope)


def _layer(neuron: Exodus, device: torch.device) -> Any:
    """Their layer with our constants; the exponential surrogate is theirs."""
    theirs = neuron.surrogate == "exponential"
    made = Theirs(
        tau_mem=1.0,
        spike_threshold=torch.tensor(neuron.threshold),
        spike_fn=MultiSpike if neuron.max_spikes is None else MaxSpike(neuron.max_spikes),
        reset_fn=MembraneSubtract(subtract_value=torch.tensor(neuron.subtract, device=device)),
        surrogate_grad_fn=SingleExponential(neuron.width) if theirs else _Slope(neuron.surrogate, neuron.slope),
        min_v_mem=None if neuron.v_min is None else torch.tensor(neuron.v_min),
        train_alphas=True,
        norm_input=neuron.norm_input,
    )
    made.alpha_mem.requires_grad_(False).fill_(float(neuron.decay))
    return made
