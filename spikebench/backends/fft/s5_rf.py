"""S5-RF as a causal convolution with the real impulse response of every neuron, made at every call because it learns."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikebench.backend import having, only
from spikebench.neurons.s5_rf import S5RF
from spikebench.numerics.scan import causal_convolution
from spikebench.numerics.surrogate import spike

if TYPE_CHECKING:
    from spikebench.cases.case import Case

SPECTRAL = True  # errors are relative to the largest entry of a series, see gate.py
CAN = {"activation": ("cartesian",)}


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no FFT in half precision but for a few sizes on a GPU."""
    if case.dtype not in ("float32", "float64"):
        return f"PyTorch has no FFT in {case.dtype}"
    return only(case, **CAN)


def run(neuron: S5RF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T)."""
    having(neuron, **CAN)
    decay, gain = neuron.discrete()
    lag = torch.arange(len(x), dtype=torch.float64, device=x.device)[:, None]
    real = causal_convolution(x, (gain * torch.exp(lag * torch.log(decay))).real)
    return spike(real - neuron.threshold, neuron.surrogate, neuron.slope)
