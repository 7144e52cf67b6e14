"""FPT with a leak as its filter, every round as one chunked linear recurrence."""

from typing import TYPE_CHECKING

from torch import Tensor

from spikebench.backend import having, only
from spikebench.neurons.fpt import FPT
from spikebench.numerics.scan import recurrence
from spikebench.units import Count

if TYPE_CHECKING:
    from spikebench.cases.case import Case

CAN = {"filter": ("leak",)}
SPREADS = "a product with the triangular matrix of a chunk"


def refuses(case: "Case") -> str | None:
    """A learned filter is a product with a matrix, which eager computes."""
    return only(case, **CAN)


def run(neuron: FPT, x: Tensor, seed: int | None = None, *, chunk: Count = 32) -> Tensor:
    """Spikes [T, B, N]; work O(rounds·T·chunk)."""
    having(neuron, **CAN)
    p = neuron.membrane(x, lambda y: recurrence(y, neuron.decay, "chunked", chunk))
    return neuron.fire(p, neuron.draw(x, seed))
