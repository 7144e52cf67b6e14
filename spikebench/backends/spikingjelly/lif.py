"""SpikingJelly's LIFNode in multi-step mode: on the CPU a loop with a backward pass written by hand."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING

import torch
from spikingjelly.activation_based import neuron as theirs
from torch import Tensor

from spikebench.backend import neighbour
from spikebench.backends.spikingjelly._common import SURROGATES, lacking
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """What LIFNode cannot be set to."""
    o = case.options
    reason = lacking(
        case,
        dtype=("float32",),  # its CPU operator computes in float32
        reset=("soft", "hard"),
        reset_delay=(False,),
        synapse_decay=(None,),
        learn_decay=(False,),
        learn_threshold=(False,),
        shared=(True,),
        refractory=(0,),
    )
    if reason is None and o["strict"] and o["reset"] == "soft":
        return "spikingjelly compares with >=, and its soft reset subtracts the very threshold; take strict=false"
    if reason is None and not 0 < o["decay"] < 1:
        return f"spikingjelly's tau = 1/(1 - decay) must be finite and above 1, which decay={o['decay']} does not give"
    return reason


def run(neuron: LIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]."""
    if "_spikingjelly" not in vars(neuron):
        threshold = float(neuron.threshold)
        made = theirs.LIFNode(
            tau=1 / (1 - float(neuron.decay)),
            decay_input=neuron.input_scale == "1-decay",
            v_threshold=neighbour(threshold, torch.float32, up=True) if neuron.strict else threshold,
            v_reset=None if neuron.reset == "soft" else 0.0,
            surrogate_function=SURROGATES[neuron.surrogate](alpha=neuron.slope),
            detach_reset=neuron.detach_reset,
            step_mode="m",
        )
        object.__setattr__(neuron, "_spikingjelly", made)
    layer = vars(neuron)["_spikingjelly"]
    layer.reset()
    return layer(x)
