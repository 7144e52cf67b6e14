"""SPSN as two chunked linear recurrences."""

from torch import Tensor

from spikebench.neurons.spsn import SPSN
from spikebench.numerics.scan import recurrence
from spikebench.units import Count

SPREADS = "a product with the triangular matrix of a chunk"


def run(neuron: SPSN, x: Tensor, seed: int | None = None, *, chunk: Count = 32) -> Tensor:
    """Spikes [T, B, N]; work O(T·chunk)."""
    current = recurrence(x, neuron.syn_decay, "chunked", chunk)
    v = recurrence((1 - neuron.mem_decay) * current, neuron.mem_decay, "chunked", chunk)
    return neuron.fire(v, neuron.draw(x, seed))
