"""S5-RF as one complex linear recurrence, an associative scan by doubling."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikebench.neurons.s5_rf import S5RF
from spikebench.numerics.scan import recurrence
from spikebench.numerics.surrogate import spike

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no complex numbers in bfloat16."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch computes no complex numbers in {case.dtype}"


def run(neuron: S5RF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; ⌈log₂ T⌉ passes, work O(T log T)."""
    decay, gain = neuron.discrete()
    narrow = torch.complex64 if x.dtype == torch.float32 else torch.complex128
    z = recurrence(gain.to(narrow) * x, decay, "doubling")
    return spike(neuron.compared(z.real, z.imag) - neuron.threshold, neuron.surrogate, neuron.slope)
