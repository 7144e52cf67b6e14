"""The decoupled LIF with its filter, and the whole backward pass, as a scan by doubling; the raised threshold is a loop."""

from torch import Tensor

from spikebench.neurons.prf_lif import PRFLIF
from spikebench.numerics.scan import recurrence


def run(neuron: PRFLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T), and T steps outside the graph for what earlier spikes do to the threshold.

    There is no such form by FFT: its rounding would decide where a membrane stands on the threshold.
    """
    return neuron.fire(neuron.membrane(x, lambda y: recurrence(y, neuron.decay, "doubling")))
