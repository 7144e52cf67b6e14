"""SpikingJelly's SlidingPSN in multi-step mode: it fills a matrix [T, T] in a Python loop and multiplies in full."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING

import torch
from spikingjelly.activation_based import neuron as theirs
from torch import Tensor

from spikebench.backends.spikingjelly._surrogate import SURROGATES, lacking
from spikebench.neurons.sliding_psn import SlidingPSN

if TYPE_CHECKING:
    from spikebench.case import Case


def refuses(case: "Case") -> str | None:
    """What its surrogates cannot be set to."""
    return lacking(case)


def run(neuron: SlidingPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]."""
    if "_spikingjelly" not in vars(neuron):
        with torch.random.fork_rng():  # its own start is not used
            made = theirs.SlidingPSN(
                k=len(neuron.weight), surrogate_function=SURROGATES[neuron.surrogate](alpha=neuron.slope), step_mode="m"
            )
        object.__setattr__(neuron, "_spikingjelly", made.to(x.device, x.dtype))
    layer = vars(neuron)["_spikingjelly"]
    layer.weight, layer.bias = neuron.weight, neuron.bias
    return layer(x)
