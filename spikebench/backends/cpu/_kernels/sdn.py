"""The compiled loops of the network of `sdn`. Arrays are [T, M], a row is one step; weights are rows of numbers.

    r_j = max(0, a_j + Σ_{i<k} w_{ji}·y_{t−k+i})    r'_j = max(0, b_j + r_j + Σ_i mix_{ji}·r_i)    P_t = c + Σ_j out_j·r'_j

y before the first step is 0. What is written is u_t = P_t + y_t.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.primitives import BLOCKS, SERIES, SIZE, array, inlined, numbers, pasted, take

Array = np.ndarray


@inlined
def _add(to: Array, by: Any, x: Array) -> None:
    for m in range(to.size):
        to[m] += by * x[m]


@inlined
def _positive(x: Array, zero: Any) -> None:
    for m in range(x.size):
        x[m] = x[m] if x[m] > zero else zero


@pasted
def _predict(y: Array, u: Array, window: Array, mix: Array, out: Array, work: Array, lo: int, hi: int) -> None:
    width, k = window.shape[0], window.shape[1] - 1
    many = hi - lo
    zero = window[0, 0] - window[0, 0]
    for t in range(y.shape[0]):
        for j in range(width):
            seen = work[j, :many]
            seen[:] = window[j, k]
            for i in range(max(0, k - t), k):
                _add(seen, window[j, i], y[t - k + i, lo:hi])
            _positive(seen, zero)
        to, mixed = u[t, lo:hi], work[width, :many]
        for m in range(many):
            to[m] = y[t, lo + m] + out[0, width]
        for j in range(width):
            mixed[:] = mix[j, width]
            for i in range(width):
                _add(mixed, mix[j, i], work[i, :many])
            _positive(mixed, zero)
            _add(to, out[0, j], mixed)


def predict(real: Any, version: str) -> Any:
    """The task of arrays y, u, and of each layer its matrix with the bias behind it: window, mix (with r_j itself), out."""

    def task(data: Any) -> None:
        job = numbers(data, 5)
        y, u, window = array(job, 0, real), array(job, 1, real), array(job, 2, real)
        mix, out = array(job, 3, real), array(job, 4, real)
        work, block = np.empty((window.shape[0] + 1, job[SIZE]), real), take(job)
        while block < job[BLOCKS] and version:  # never empty; part of the closure, so of the key in the disk cache
            lo = block * job[SIZE]
            _predict(y, u, window, mix, out, work, lo, min(lo + job[SIZE], job[SERIES]))
            block = take(job)

    return task
