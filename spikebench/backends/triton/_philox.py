"""The uniforms of spikebench.numerics.philox inside kernels, bit for bit."""

from typing import NamedTuple

import triton
import triton.language as tl

from spikebench.numerics.philox import MASK


class Noise(NamedTuple):
    """What a kernel draws with, as its arguments hold it: the seed, the number of the call, and the sampling site."""

    seed: int
    call: int
    site: int


def signed(seed: int) -> int:
    """The low 64 bits of a seed as the signed number that a kernel argument holds."""
    seed &= (1 << 64) - 1
    return seed - (1 << 64) if seed >> 63 else seed


def noise(seed: int, call: int, site: int) -> Noise:
    """Noise of whole numbers of any size: 64 bits of the seed, 32 of the others."""
    return Noise(signed(seed), call & MASK, site & MASK)


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
