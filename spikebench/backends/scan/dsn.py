"""DSN with its recurrence, whose decays vary, as an associative scan by doubling."""

from torch import Tensor

from spikebench.neurons.dsn import DSN
from spikebench.numerics.scan import gated


def run(neuron: DSN, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; ⌈log₂ T⌉ passes, work O(T log T)."""
    return neuron.fire(neuron.membrane(x, lambda y, decays: gated(y, decays, "doubling")))
