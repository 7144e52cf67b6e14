"""The uniforms of spikebench.numerics.philox inside kernels, bit for bit."""

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.neuron import StochasticNeuron
from spikebench.numerics.philox import MASK


class Noise(NamedTuple):
    """What a kernel draws with, as its arguments hold it: the seed, the number of the call, and the sampling site."""

    seed: int
    call: int | Tensor  # a tensor on the CPU where torch traces: a number would be a constant of the graph
    site: int


def signed(seed: int) -> int:
    """The low 64 bits of a seed as the signed number that a kernel argument holds."""
    seed &= (1 << 64) - 1
    return seed - (1 << 64) if seed >> 63 else seed


def next_noise(neuron: StochasticNeuron, seed: int | None) -> Noise:
    """The noise of a neuron's next forward call; seed: in place of its own."""
    key = neuron.seed if seed is None else seed
    if torch.compiler.is_compiling():
        return Noise(signed(key), torch.ops.spikebench.next_call(neuron.counter), neuron.site & MASK)
    return Noise(signed(key), neuron.next_call() & MASK, neuron.site & MASK)


@torch.library.custom_op("spikebench::next_call", mutates_args=("counter",))
def next_call(counter: Tensor) -> Tensor:
    """The number of a forward call as a tensor, the low 32 bits of its neuron's counter, which goes on by one."""
    number = counter & MASK
    counter.add_(1)
    return number


@next_call.register_fake
def _(counter: Tensor) -> Tensor:
    return torch.empty_like(counter)


@triton.jit
def uniforms(seed, index, site, call):
    """Float32 uniforms of four time steps for counters `index` = (t div 4)·M + m (int64): a tuple of four blocks.

    The counter words must be 32 bits wide: with 64-bit words tl.philox is another generator.
    """
    low, high = index.to(tl.uint32), (index >> 32).to(tl.uint32)
    w0, w1, w2, w3 = tl.philox(seed, low, high, low * 0 + site.to(tl.uint32), low * 0 + call.to(tl.uint32))
    return (_unit(w0), _unit(w1), _unit(w2), _unit(w3))


@triton.jit
def _unit(word):
    """A 32-bit word as a multiple of 2⁻²⁴ in [0, 1)."""
    return (word >> 8).to(tl.float32) * 2.0**-24
