"""SpikingJelly's MaskedPSN in multi-step mode: the matrix [T, T] is masked, then multiplied in full."""

# the library is installed only where the adapter runs
# pyright: reportMissingImports=false, reportAttributeAccessIssue=false

from typing import TYPE_CHECKING

from spikingjelly.activation_based import neuron as theirs
from torch import Tensor

from spikebench.backend import beyond
from spikebench.backends.spikingjelly._common import parallel
from spikebench.neurons.masked_psn import MaskedPSN

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """What its surrogates cannot be set to."""
    return beyond(case, "spikingjelly", "2.0")


def run(neuron: MaskedPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]."""
    layer = parallel(neuron, x, lambda f: theirs.MaskedPSN(k=neuron.k, T=len(x), surrogate_function=f, step_mode="m"))
    layer.lambda_ = neuron.masking
    return layer(x)
