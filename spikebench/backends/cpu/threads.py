"""How the series of a layer are divided among threads, and which threads those are."""

import numba
import numpy as np
import torch

LINE = 16  # series: a cache line of float32, so that no two threads write to the same one


def edges(series: int, most: int) -> np.ndarray:
    """First series of each block, and the end [blocks + 1]: at most `most` series a block, blocks for every thread."""
    threads = _threads()
    blocks = threads * -(-series // (threads * most))
    size = -(-series // (max(blocks, 1) * LINE)) * LINE
    return np.minimum(np.arange(0, series + size, max(size, 1)), series)


def _threads() -> int:
    """As many threads as PyTorch uses, as far as numba started them."""
    if numba.config.THREADING_LAYER == "default":
        numba.config.THREADING_LAYER = "omp"
    count = min(torch.get_num_threads(), numba.config.NUMBA_NUM_THREADS)
    numba.set_num_threads(count)
    return count
