"""SPSN fused: two recurrences, the probability, Philox and the sample in one pass; long thin inputs as a scan over chunks."""

from typing import TYPE_CHECKING, Annotated

import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _passes
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._philox import next_noise
from spikebench.backends.triton._recurrence import cascade, cascaded
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import logistic
from spikebench.neurons.spsn import SPSN
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("rows",)
# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 0), "train": (5, 0)}
KERNELS = {
    "forward": Kernel(reads=(1, 0), writes=(1, 0), work=4.0, cut=True, candidates=_passes.grid(where_many=64)),
    "backward": Kernel(reads=(2, 0), writes=(1, 0), work=3.0, cut=True, candidates=_passes.grid()),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _passes.moves(case, MOVES, states=2)


def run(
    neuron: SPSN,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Spikes = "same",
    chunk: Natural | None = None,
    block: Natural = 0,
    warps: Annotated[int, "[0, 32]"] = 0,
    stages: Natural = 0,
    rows: Natural = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, uint8 where no gradient is wanted, or bits, which a Linear after it reads.

    chunk: steps per chunk of a scan over chunks, forward and backward; 0: one sequential pass; None: by the number of
    steps and series. rows: steps of a tile, a multiple of four. block, warps, stages: kernel shape; 0: by size.
    """
    asked = _launch.Options(chunk, block, warps, stages, rows)
    relaxed = neuron.mode == "gs"
    call = _passes.Call(
        NEURON,
        (neuron.syn_decay, neuron.mem_decay, 1 - neuron.mem_decay, neuron.tau),
        asked,
        "gs" if relaxed else neuron.estimator,
        noise=next_noise(neuron, seed),
        redraws=relaxed,
    )
    return fused(_passes.PASSES, call, x, spikes=spikes)


@triton.jit
def _step(i, v, x, u, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """Both filters, the sample, and the slope of its stand-in at v."""
    i, v = cascade(i, v, x, k)
    if MODE == "gs":
        p = logistic(2 * v)
        least = tl.maximum(u, 2.0**-25)
        y = logistic((2 * v - tl.log(least / (1 - least))) / k[3])
        slope = y * (1 - y) * (2 / k[3])
    else:
        p = logistic(v)
        slope = p * (1 - p)
        if MODE == "authors":
            slope = slope * p
    return i, v, (u < p).to(v.dtype), slope, slope


@triton.jit
def _fade(i, v, k):
    return cascade(i, v, 0.0, k)


@triton.jit
def _adjoint(V, X, late, g, slope, link, k, MODE: tl.constexpr):
    V, X = cascaded(V, X, g * slope, k)
    return V, X, late, X


NEURON = _passes.Recurrence("spsn", _step, _fade, _adjoint, draws=True)
