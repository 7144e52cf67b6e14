"""PSN as its product of matrices, each block of it followed by its spikes, and the products back."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.backends.cpu._runtime import products
from spikebench.backends.cpu._runtime.mixing import mixed
from spikebench.backends.cpu._runtime.threads import refuse
from spikebench.neurons.psn import PSN

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def operations(case: "Case") -> int:
    """Floating-point operations of its products."""
    return products.operations(case, None)


def run(neuron: PSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    return mixed(neuron, x, neuron.weight, neuron.bias)
