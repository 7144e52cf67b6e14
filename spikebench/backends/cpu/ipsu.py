"""IPSU as one lower triangular product: its filters by powers of the decay are folded into the learned matrix."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.backend import only
from spikebench.backends.cpu._runtime import products
from spikebench.backends.cpu._runtime.mixing import mixed
from spikebench.backends.cpu._runtime.threads import refuse
from spikebench.neurons.ipsu import IPSU

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return only(case, learn_slope=(False,)) or refuse(case.device, case.dtype)


def operations(case: "Case") -> int:
    """Floating-point operations of its products."""
    return products.operations(case, case.T)


def run(neuron: IPSU, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    return mixed(neuron, x, neuron.mixing(), neuron.bias if neuron.variant == "braincog" else None, len(x))
