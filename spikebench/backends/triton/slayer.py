"""SLAYER fused: the forward pass of exodus, and a backward pass by the decay alone."""

from typing import TYPE_CHECKING, Annotated, Literal

from torch import Tensor

from spikebench.backends.triton import _launch, _operator, exodus
from spikebench.neurons.slayer import SLAYER
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("rows",)


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return exodus.refuses(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return exodus.moves(case)


@_operator.traceable
def run(
    neuron: SLAYER,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    chunk: Natural = 0,
    block: Natural = 0,
    warps: Annotated[int, "[0, 32]"] = 0,
    stages: Natural = 0,
    rows: Natural = 0,
) -> Tensor:
    """Spikes [T, B, N]; options as in exodus."""
    asked = _launch.Options(chunk or None, block, warps, stages, rows)
    return exodus.fused(neuron, x, spikes, asked, through_reset=False)
