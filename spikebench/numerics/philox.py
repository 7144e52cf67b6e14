"""Philox 4x32-10: the counter-based random numbers that every backend shares, so that spikes can be compared one by one.

Key: the 64-bit seed, low word first. Counter words: c0, c1 = low and high word of (t div 4)·M + m, c2 = sampling site,
c3 = number of the forward call; step t takes output word t mod 4 as u = (word >> 8)·2⁻²⁴. Salmon et al., SC 2011.
"""

import math
from collections.abc import Sequence
from importlib.util import find_spec

import torch
from torch import Tensor

MUL0, MUL1 = 0xD2511F53, 0xCD9E8D57
WEYL0, WEYL1 = 0x9E3779B9, 0xBB67AE85
MASK = 0xFFFFFFFF


def words(seed: int, call: int, site: int, index: Tensor) -> list[Tensor]:
    """The four output words of counters `index` (int64, any shape), as int64 in [0, 2³²)."""
    c0, c1 = index & MASK, (index >> 32) & MASK
    c2, c3 = torch.full_like(index, site & MASK), torch.full_like(index, call & MASK)
    k0, k1 = seed & MASK, (seed >> 32) & MASK
    for _ in range(10):
        p0, p1 = c0 * MUL0, c2 * MUL1  # the low 64 bits are right although int64 wraps
        c0, c2 = ((p1 >> 32) & MASK) ^ c1 ^ k0, ((p0 >> 32) & MASK) ^ c3 ^ k1
        c1, c3 = p1 & MASK, p0 & MASK
        k0, k1 = (k0 + WEYL0) & MASK, (k1 + WEYL1) & MASK
    return [c0, c1, c2, c3]


def uniforms(seed: int, call: int, site: int, shape: Sequence[int], device: torch.device | str = "cpu") -> Tensor:
    """Uniforms in [0, 1) for x of `shape` [T, ...]: float32, multiples of 2⁻²⁴, same bits on every device.

    On the CPU numba draws them where it is installed, PyTorch otherwise; the bits are the same.
    """
    steps, rest = shape[0], tuple(shape[1:])
    series = math.prod(rest)
    if torch.device(device).type == "cpu" and find_spec("numba"):
        from spikebench.numerics.philox_fill import fill

        out = torch.empty(steps, series)
        threads = torch.get_num_threads()
        fill(out.numpy(), seed, call, site, threads)
        if torch.get_num_threads() != threads:  # numba's first parallel call sets OpenMP's number to its own
            torch.set_num_threads(threads)
        return out.view(steps, *rest)
    return plain(seed, call, site, steps, series, device).view(steps, *rest)


def plain(seed: int, call: int, site: int, steps: int, series: int, device: torch.device | str) -> Tensor:
    """Uniforms [steps, series] by PyTorch's integer operations."""
    return some(seed, call, site, steps, series, torch.arange(series, device=device))


def narrowed(drawn: Tensor, dtype: torch.dtype) -> Tensor:
    """Uniforms in a dtype: what would round to 1 is the largest number below it, so that a probability of 1 is certain."""
    if torch.finfo(dtype).bits >= 32:
        return drawn.to(dtype)
    return drawn.to(dtype).clamp_max_(1 - torch.finfo(dtype).eps / 2)


def some(seed: int, call: int, site: int, steps: int, series: int, chosen: Tensor) -> Tensor:
    """Uniforms [steps, k] of the `chosen` [k] among so many series: those columns of `plain`."""
    blocks = (steps + 3) // 4
    index = torch.arange(blocks, device=chosen.device)[:, None] * series + chosen
    drawn = torch.stack(words(seed, call, site, index), dim=1).view(4 * blocks, len(chosen))[:steps]
    return (drawn >> 8).to(torch.float32) * 2.0**-24
