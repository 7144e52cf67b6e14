"""ParaLIF as two linear recurrences, each an associative scan by doubling."""

from torch import Tensor

from spikebench.neurons.para_lif import ParaLIF
from spikebench.numerics.scan import recurrence


def run(neuron: ParaLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; ⌈log₂ T⌉ passes a recurrence, work O(T log T)."""
    syn, mem = neuron.decays()

    def filtered(y: Tensor) -> Tensor:
        return recurrence((1 - mem) * recurrence(y, syn, "doubling"), mem, "doubling")

    return neuron.fire(neuron.membrane(x, filtered))
