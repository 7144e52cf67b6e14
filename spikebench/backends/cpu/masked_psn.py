"""Masked PSN: a short window as a fused pass with weights for every step, a long one as blocks of a product."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikebench.backends.cpu._runtime import products, windows
from spikebench.backends.cpu._runtime.mixing import fits, mixed
from spikebench.backends.cpu._runtime.threads import refuse
from spikebench.neurons.masked_psn import MaskedPSN

if TYPE_CHECKING:
    from spikebench.cases.case import Case

SHORT = 32  # steps of a window


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int | None:
    """Bytes that a short window must move."""
    k, masking = min(case.options["k"], case.T), case.options["masking"]
    return windows.moves(case, case.T * (k + 1)) if _windowed(k, masking) else None


def operations(case: "Case") -> int | None:
    """Operations of the products; None where a short window takes their place."""
    k, masking = min(case.options["k"], case.T), case.options["masking"]
    return None if _windowed(k, masking) else products.operations(case, k if masking == 1 else None)


def run(neuron: MaskedPSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ...]."""
    k = min(neuron.k, len(x))
    if not _windowed(k, neuron.masking):
        return mixed(neuron, x, neuron.mixing(), neuron.bias, k if neuron.masking == 1 else None)
    fits(neuron.weight, x)
    step = torch.arange(len(x))
    seen = (step[:, None] + torch.arange(1 - k, 1)).clamp_min(0)  # what lies before the first step is never read
    return windows.windowed(neuron, x, neuron.weight.gather(1, seen), neuron.bias)


def _windowed(k: int, masking: float) -> bool:
    return masking == 1 and 0 < k <= SHORT
