"""SpikingJelly's MaskedPSN in multi-step mode: the matrix [T, T] is masked, then multiplied in full."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING

import torch
from spikingjelly.activation_based import neuron as theirs
from torch import Tensor

from spikebench.backends.spikingjelly._surrogate import SURROGATES, lacking
from spikebench.neurons.masked_psn import MaskedPSN

if TYPE_CHECKING:
    from spikebench.case import Case


def refuses(case: "Case") -> str | None:
    """What its surrogates cannot be set to."""
    return lacking(case)


def run(neuron: MaskedPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]."""
    if "_spikingjelly" not in vars(neuron):
        with torch.random.fork_rng():  # its own start is not used
            made = theirs.MaskedPSN(
                k=neuron.k, T=len(x), surrogate_function=SURROGATES[neuron.surrogate](alpha=neuron.slope), step_mode="m"
            )
        object.__setattr__(neuron, "_spikingjelly", made.to(x.device, x.dtype))
    layer = vars(neuron)["_spikingjelly"]
    layer.weight, layer.bias = neuron.weight, neuron.bias
    layer.lambda_ = neuron.masking
    return layer(x)
