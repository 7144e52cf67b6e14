"""SpikingJelly's PSN: one product with the matrix [T, T]."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING

import torch
from spikingjelly.activation_based import neuron as theirs
from torch import Tensor

from spikebench.backends.spikingjelly._surrogate import SURROGATES, lacking
from spikebench.neurons.psn import PSN

if TYPE_CHECKING:
    from spikebench.case import Case


def refuses(case: "Case") -> str | None:
    """What its surrogates cannot be set to."""
    return lacking(case)


def run(neuron: PSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]."""
    if "_spikingjelly" not in vars(neuron):
        with torch.random.fork_rng():  # its own start is not used
            made = theirs.PSN(T=len(x), surrogate_function=SURROGATES[neuron.surrogate](alpha=neuron.slope))
        object.__setattr__(neuron, "_spikingjelly", made.to(x.device, x.dtype))
    layer = vars(neuron)["_spikingjelly"]
    layer.weight, layer.bias = neuron.weight, neuron.bias
    return layer(x)
