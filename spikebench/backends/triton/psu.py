"""PSU fused: both filters, the probability and the spike in one pass over time, or as scans over chunks."""

from typing import TYPE_CHECKING, Annotated

import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused, constant, only
from spikebench.backends.triton import _launch, _passes
from spikebench.backends.triton._autograd import fused
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._shapes import Kernel
from spikebench.backends.triton._surrogate import derivative, logistic
from spikebench.neurons.psu import PSU
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("rows",)
# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 0), "train": (5, 0)}
KERNELS = {
    "forward": Kernel(
        reads=(1, 0), writes=(1, 0), work=3.0, cut=True, passes=2, candidates=_passes.grid(where_many=64)
    ),
    "backward": Kernel(reads=(2, 0), writes=(1, 0), work=4.0, cut=True, candidates=_passes.grid()),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return (
        only(case, learn_slope=(False,))
        or _not_scan(case.options["form"])
        or _launch.no_bytes(case)
        or _launch.refusal(case)
    )


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _passes.moves(case, MOVES, states=2)


def run(
    neuron: PSU,
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
    steps and series. rows: steps of a tile. block, warps, stages: kernel shape; 0: by size.
    """
    if reason := _not_scan(neuron.form):
        raise Refused(reason)
    asked = _launch.Options(chunk, block, warps, stages, rows)
    numbers = (neuron.decay, neuron.gain, float(neuron.threshold), constant(neuron.slope, "slope"))
    call = _passes.Call(NEURON, numbers, asked, surrogate=neuron.surrogate)
    return fused(_passes.PASSES, call, x, spikes=spikes)


def _not_scan(form: str) -> str | None:
    return None if form == "scan" else f"the kernels compute form=scan; form={form} is a product of dense matrices"


@triton.jit
def _step(z, r, x, u, t, k, MODE: tl.constexpr, SURROGATE: tl.constexpr):
    """The membrane z without reset, and r, what is left of earlier probabilities for the next step."""
    z = k[0] * z + k[1] * x
    above = z - k[2] * r - k[2]
    p = logistic(z)
    return z, k[0] * (r + p), (above >= 0).to(z.dtype), derivative(above, k[3], SURROGATE), k[2] * p * (1 - p)


@triton.jit
def _fade(z, r, k):
    return k[0] * z, k[0] * r


@triton.jit
def _adjoint(E, Z, late, g, slope, link, k, MODE: tl.constexpr):
    """E: Σ over later steps of decay^(lag)·dL/dv; Z: dL/dz."""
    e, owed = g * slope, k[0] * E
    Z = e - link * owed + k[0] * Z
    return e + owed, Z, late, k[1] * Z


NEURON = _passes.Recurrence("psu", _step, _fade, _adjoint, phases=("p", "q"))
