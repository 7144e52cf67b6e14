"""Compares the probability with uniforms of 16 bits instead of 24, so that they are up to 2⁻¹⁶ too small.

`<=` for `<` is no cheat that could be caught: p and a multiple of 2⁻²⁴ meet with probability 2⁻²⁴ a step.
"""

from torch import Tensor

from spikebench.neurons.spsn import SPSN


def run(neuron: SPSN, x: Tensor, seed: int | None = None, *, bits: int = 16) -> Tensor:
    return neuron.fire(neuron.potential(x), (neuron.draw(x) * 2**bits).floor() / 2**bits)
