"""Newton's LIF from a guess that is right but for rounding: jumps from spike to spike, found for all steps at once."""

from torch import Tensor

from spikebench.neurons.newton_lif import NewtonLIF
from spikebench.numerics.jumps import hard_reset_spikes


def run(neuron: NewtonLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T), depth O(log T), and a round for each time that rounding moved a spike of the guess."""
    return neuron.from_guess(x, hard_reset_spikes(x.detach(), neuron.decay, float(neuron.threshold)))
