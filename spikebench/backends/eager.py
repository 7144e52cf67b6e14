"""Runs the definition as it stands: PyTorch operations, one step after the other where there is a recurrence."""

from torch import Tensor

from spikebench.neuron import Neuron, StochasticNeuron

FOREIGN = True
SECONDS_A_STEP = 3.6e-4
MARKER = "o"
DASHES = (5, 2)


def run(neuron: Neuron, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; `seed` replaces the noise stream of a stochastic neuron, for this call."""
    out = neuron(x, neuron.draw(x, seed)) if isinstance(neuron, StochasticNeuron) else neuron(x)
    return out[0] if isinstance(out, tuple) else out
