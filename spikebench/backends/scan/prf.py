"""PRF as one complex linear recurrence, an associative scan by doubling."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikebench.neurons.prf import PRF
from spikebench.numerics.scan import recurrence
from spikebench.numerics.surrogate import spike

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no complex numbers in bfloat16."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch computes no complex numbers in {case.dtype}"


def run(neuron: PRF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; ⌈log₂ T⌉ passes, work O(T log T)."""
    dt, omega = neuron.log_dt.double().exp(), neuron.log_omega.double().exp()
    decay = torch.exp(torch.complex(-dt / neuron.tau, dt * omega))
    driven = dt.to(x.dtype) * x
    z = recurrence(torch.complex(driven, torch.zeros_like(driven)), decay, "doubling")
    return spike(z.real - neuron.threshold, neuron.surrogate, neuron.slope)
