"""Philox 4x32-10, compiled: the bits of spikebench/numerics/philox.py."""

import numpy as np

from spikebench.backends.cpu._kernels.primitives import compiled
from spikebench.numerics import philox

HALF, EIGHT, WORD = np.uint64(32), np.uint64(8), np.uint64(philox.MASK)
MUL0, MUL1 = np.uint64(philox.MUL0), np.uint64(philox.MUL1)
WEYL0, WEYL1 = np.uint64(philox.WEYL0), np.uint64(philox.WEYL1)
UNIT = np.float32(2.0**-24)


@compiled
def uniforms(out: np.ndarray, n: int, first: int, k0: int, k1: int, site: int, call: int) -> None:
    """Fill the first n columns of out [4, ...] with four steps of uniforms of n series, from counters `first` on.

    The words stand in 64-bit lanes with anything in the upper half: only the multiplication has to ignore it.
    """
    u0, u1, u2, u3 = out[0], out[1], out[2], out[3]
    for m in range(n):
        c0 = np.uint64(first + m)
        c1, c2, c3 = c0 >> HALF, np.uint64(site), np.uint64(call)
        key0, key1 = np.uint64(k0), np.uint64(k1)
        for _ in range(10):
            p0, p1 = (c0 & WORD) * MUL0, (c2 & WORD) * MUL1
            c0, c2 = (p1 >> HALF) ^ c1 ^ key0, (p0 >> HALF) ^ c3 ^ key1
            c1, c3 = p1, p0
            key0, key1 = key0 + WEYL0, key1 + WEYL1
        u0[m] = np.float32(np.int32((c0 & WORD) >> EIGHT)) * UNIT
        u1[m] = np.float32(np.int32((c1 & WORD) >> EIGHT)) * UNIT
        u2[m] = np.float32(np.int32((c2 & WORD) >> EIGHT)) * UNIT
        u3[m] = np.float32(np.int32((c3 & WORD) >> EIGHT)) * UNIT
