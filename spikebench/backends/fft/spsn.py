"""SPSN as one causal convolution with its impulse response, whose spectrum is kept as its authors keep theirs."""

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from spikebench.neurons.spsn import SPSN
from spikebench.numerics.scan import Response, causal_convolution, two_filters

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("padding",)
SPECTRAL = True  # errors are relative to the largest entry of a series, see gate.py


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no FFT in half precision but for a few sizes on a GPU."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch has no FFT in {case.dtype}"


def run(
    neuron: SPSN, x: Tensor, seed: int | None = None, *, padding: Literal["linear", "authors"] = "linear"
) -> Tensor:
    """Spikes [T, B, N]; work O(T log T). The spectrum is made once for a length, dtype, device and pair of decays.

    padding: "linear" pads enough. "authors" is their transform of size 2T over three spectra, which wraps what a spike
    train leaves after 2T steps onto its beginning. It passes the gate only where that has decayed to nothing.
    """
    made = _response if padding == "linear" else _wrapped
    filtered = made(x.shape[0], x.dtype, x.device, neuron.syn_decay, neuron.mem_decay)
    v = causal_convolution(x, filtered) if isinstance(filtered, Response) else _circular(x, filtered)
    return neuron.fire(v, neuron.draw(x, seed))


@lru_cache(maxsize=32)
def _response(steps: int, dtype: torch.dtype, device: torch.device, syn: float, mem: float) -> Response:
    return Response.of(two_filters(syn, mem, steps, device), dtype)


@lru_cache(maxsize=32)
def _wrapped(steps: int, dtype: torch.dtype, device: torch.device, syn: float, mem: float) -> Tensor:
    """The product of two spectra of size 2T, each of one filter cut after T steps: [T + 1], complex."""
    lag = torch.arange(steps, dtype=torch.float64, device=device)
    synapse, membrane = (torch.fft.rfft(decay**lag, n=2 * steps) for decay in (syn, mem))
    return ((1 - mem) * synapse * membrane).to(torch.complex64 if dtype == torch.float32 else torch.complex128)


def _circular(x: Tensor, spectrum: Tensor) -> Tensor:
    """v [T, B, N] by one multiplication of spectra at size 2T, plain autograd."""
    size = 2 * x.shape[0]
    series = x.movedim(0, -1).contiguous()
    v = torch.fft.irfft(torch.fft.rfft(series, n=size) * spectrum, n=size)[..., : x.shape[0]]
    return v.movedim(-1, 0).contiguous()
