"""ParaLIF as a causal convolution with its impulse response, as its authors compute it, but padded so that nothing wraps."""

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikebench.neurons.para_lif import ParaLIF
from spikebench.numerics.scan import Response, causal_convolution, two_filters

if TYPE_CHECKING:
    from spikebench.cases.case import Case

SPECTRAL = True  # errors are relative to the largest entry of a series, see gate.py


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no FFT in half precision but for a few sizes on a GPU."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch has no FFT in {case.dtype}"


def run(neuron: ParaLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T). The spectrum of fixed decays is kept; where they learn, it is made at every call."""
    syn, mem = neuron.decays()
    if isinstance(syn, Tensor) or isinstance(mem, Tensor):
        kernel = two_filters(syn, mem, x.shape[0], x.device)
    else:
        kernel = _response(x.shape[0], x.dtype, x.device, syn, mem)
    return neuron.fire(neuron.membrane(x, lambda y: causal_convolution(y, kernel)))


@lru_cache(maxsize=32)
def _response(steps: int, dtype: torch.dtype, device: torch.device, syn: float, mem: float) -> Response:
    return Response.of(two_filters(syn, mem, steps, device), dtype)
