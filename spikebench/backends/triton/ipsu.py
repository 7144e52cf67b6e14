"""IPSU: its filters folded into the learned matrix and one product by cuBLAS, then the spike as in psn."""

from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from spikebench.backend import constant, only
from spikebench.backends.triton import psn
from spikebench.backends.triton._spike import spiked
from spikebench.neurons.ipsu import IPSU

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return only(case, learn_slope=(False,)) or psn.refuses(case)


def operations(case: "Case") -> int:
    """Multiplications and additions, as of psn."""
    return psn.operations(case)


def run(neuron: IPSU, x: Tensor, seed: int | None = None, *, spikes: Literal["same", "uint8"] = "same") -> Tensor:
    """Spikes [T, B, N]; options as in psn."""
    flat, threshold = x.reshape(len(x), -1), float(neuron.threshold)
    zero = neuron.weight.new_zeros(len(neuron.weight), 1)
    bias = neuron.bias if neuron.variant == "braincog" else zero
    u = torch.addmm(bias - threshold, neuron.mixing(), flat)
    return spiked(u.view(x.shape), neuron.surrogate, constant(neuron.slope, "slope"), spikes)
