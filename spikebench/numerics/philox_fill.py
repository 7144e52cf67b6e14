"""Philox 4x32-10 compiled for the CPU: the same uniforms as `philox.uniforms`, so that noise costs every backend little."""

from typing import Any

import numba
import numpy as np
from numba import njit, prange

config: Any = numba.config  # pyright: ignore[reportPrivateImportUsage]  # documented, but not in the stubs

MUL0, MUL1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL0, WEYL1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
HALF, BYTE = np.uint64(32), np.uint32(8)
UNIT = np.float32(2.0**-24)
COLUMNS = 2048


@njit(cache=True, nogil=True)
def _row(a: Any, b: Any, c: Any, d: Any, first: Any, key0: Any, key1: Any, site: Any, call: Any) -> None:
    """The four words of counters first, first + 1 … as uniforms into rows a, b, c, d."""
    for m in range(a.size):
        index = first + np.uint64(m)
        c0, c1, c2, c3 = np.uint32(index), np.uint32(index >> HALF), site, call
        k0, k1 = key0, key1
        for _ in range(10):
            p0, p1 = np.uint64(c0) * MUL0, np.uint64(c2) * MUL1
            c0, c2 = np.uint32(np.uint32(p1 >> HALF) ^ c1 ^ k0), np.uint32(np.uint32(p0 >> HALF) ^ c3 ^ k1)
            c1, c3 = np.uint32(p1), np.uint32(p0)
            k0, k1 = np.uint32(k0 + WEYL0), np.uint32(k1 + WEYL1)
        a[m] = np.float32(np.int32(c0 >> BYTE)) * UNIT
        b[m] = np.float32(np.int32(c1 >> BYTE)) * UNIT
        c[m] = np.float32(np.int32(c2 >> BYTE)) * UNIT
        d[m] = np.float32(np.int32(c3 >> BYTE)) * UNIT


@njit(cache=True, nogil=True, parallel=True)
def _fill(out: Any, key0: Any, key1: Any, site: Any, call: Any) -> None:
    steps, series = out.shape
    parts = (series + COLUMNS - 1) // COLUMNS
    for job in prange(((steps + 3) // 4) * parts):
        t, low = 4 * (job // parts), (job % parts) * COLUMNS
        high = min(low + COLUMNS, series)
        spare = np.empty((4 if t + 4 > steps else 0, high - low), np.float32)
        first = np.uint64(t // 4) * np.uint64(series) + np.uint64(low)
        if t + 4 <= steps:
            a, b, c, d = out[t, low:high], out[t + 1, low:high], out[t + 2, low:high], out[t + 3, low:high]
            _row(a, b, c, d, first, key0, key1, site, call)
        else:
            _row(spare[0], spare[1], spare[2], spare[3], first, key0, key1, site, call)
            for k in range(steps - t):
                out[t + k, low:high] = spare[k]


def fill(out: Any, seed: int, call: int, site: int, threads: int) -> None:
    """Fill the float32 array out [T, M] with uniforms in [0, 1), on `threads` threads."""
    if config.THREADING_LAYER == "default":
        config.THREADING_LAYER = "omp"
    numba.set_num_threads(min(threads, config.NUMBA_NUM_THREADS))
    low = 0xFFFFFFFF
    _fill(out, np.uint32(seed & low), np.uint32((seed >> 32) & low), np.uint32(site & low), np.uint32(call & low))
