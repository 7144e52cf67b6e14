"""The compiled loops of a spike after a sum over a window. Arrays are [T, M], M series side by side; a row is one step.

    u_t = Σ_{j<k} w_j·x_{t−k+1+j} + b      s_t = [u_t ≥ threshold]      e_t = g_t·σ'(u_t − threshold)

The weights w [R, k] and b [R, 1] have one row for all steps or one for each. Backward goes from the last step to the
first and computes u again: what forward keeps is x alone.
"""

from typing import Any

import numpy as np

from spikebench.backends.cpu.fire_kernels import spikes, weighed
from spikebench.backends.cpu.primitives import BLOCKS, NUMBERS, SERIES, SIZE, array, compiled, numbers, take

STRIDE = 16  # steps whose e is held at once

Array = np.ndarray
Scalar = np.floating


@compiled
def _set(y: Array, value: Scalar) -> None:
    for m in range(y.size):
        y[m] = value


@compiled
def _add(y: Array, w: Scalar, a: Array) -> None:
    for m in range(y.size):
        y[m] += w * a[m]


@compiled
def _add_four(y: Array, w0: Scalar, w1: Scalar, w2: Scalar, w3: Scalar, a0: Array, a1: Array, a2: Array, a3: Array) -> None:
    for m in range(y.size):
        y[m] += (w0 * a0[m] + w1 * a1[m]) + (w2 * a2[m] + w3 * a3[m])


@compiled
def _membrane(u: Array, x: Array, w: Array, b: Scalar, t: int, lo: int, hi: int) -> None:
    """u_t of series lo to hi from the weights w [k] of its step."""
    k = w.size
    _set(u, b)
    j = max(0, k - 1 - t)
    while j + 4 <= k:
        i = t - k + 1 + j
        _add_four(u, w[j], w[j + 1], w[j + 2], w[j + 3], x[i, lo:hi], x[i + 1, lo:hi], x[i + 2, lo:hi], x[i + 3, lo:hi])
        j += 4
    while j < k:
        _add(u, w[j], x[t - k + 1 + j, lo:hi])
        j += 1


@compiled
def _inputs(gx: Array, e: Array, w: Array, t: int, k: int, later: int) -> None:
    """The gradient of x_t from the rows e of steps t to t + later − 1."""
    own = w.shape[0] > 1
    _set(gx, gx.dtype.type(0))
    i, last = 0, min(k, later)
    while i + 4 <= last:
        j, r0, step = k - 1 - i, t + i if own else 0, 1 if own else 0
        w0, w1 = w[r0, j], w[r0 + step, j - 1]
        w2, w3 = w[r0 + 2 * step, j - 2], w[r0 + 3 * step, j - 3]
        _add_four(gx, w0, w1, w2, w3, e[i], e[i + 1], e[i + 2], e[i + 3])
        i += 4
    while i < last:
        _add(gx, w[t + i if own else 0, k - 1 - i], e[i])
        i += 1
