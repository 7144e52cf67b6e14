"""The passes over time that neurons with two states share, compiled for each of them."""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.primitives import PIECE, bare, inlined, keep, prefetch, stream

Array = np.ndarray

FORWARD, BACKWARD = 4, 3  # rows that a pass takes of a work array


def forward_of(step: Any) -> Any:
    """A compiled function of x, s, u, checkpoints, stride, c, work, lo, hi, streaming: all steps of series lo to hi.

    Each is `step(x, u, s, v, i, c)` of one row of every array; the states v and i begin at 0. Spikes go to s. What backward
    needs: the rows u, unless that array is empty, and the states before every `stride`-th step in `checkpoints` [2K, M],
    unless that is empty. With `streaming` rows are prefetched and written past the caches.
    """

    @inlined
    def forward(
        x: Array,
        s: Array,
        u: Array,
        checkpoints: Array,
        stride: int,
        c: Array,
        work: Array,
        lo: int,
        hi: int,
        streaming: bool,
    ) -> None:
        scratch, n, save, checkpointed = bare(work), hi - lo, u.shape[0] > 0, checkpoints.shape[0] > 0
        v, i, near_u, near_s = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3, :n]
        v[:] = 0
        i[:] = 0
        for t in range(x.shape[0]):
            if checkpointed and t % stride == 0:
                keep(v, checkpoints[t // stride * 2, lo:hi], streaming)
                keep(i, checkpoints[t // stride * 2 + 1, lo:hi], streaming)
            if streaming:
                for a in range(0, n, PIECE):
                    b = min(a + PIECE, n)
                    prefetch(x, t + 1, lo + a, lo + b)
                    step(x[t, lo + a : lo + b], near_u[a:b], near_s[a:b], v[a:b], i[a:b], c)
                    stream(near_s[a:b], s[t, lo + a : lo + b])
                    if save:
                        stream(near_u[a:b], u[t, lo + a : lo + b])
            else:
                step(x[t, lo:hi], u[t, lo:hi] if save else near_u, s[t, lo:hi], v, i, c)

    return forward


def backward_of(back: Any) -> Any:
    """A compiled function of given, read, g, gx, scratch, first, last, lo, hi, streaming: from step `last` down to `first`.

    Each is `back(t, g, gx, q, i, given, lo)` of one row of g and gx. The sums over later steps, q and i, are the first two
    rows of `scratch`, a bare work array, and are left there. Gradients go to gx, unless that is empty. `read` [T, M] is what
    `back` reads of the arrays `given`, asked for early; it may be empty.
    """

    @inlined
    def backward(
        given: Any,
        read: Array,
        g: Array,
        gx: Array,
        scratch: Array,
        first: int,
        last: int,
        lo: int,
        hi: int,
        streaming: bool,
    ) -> None:
        n, wants = hi - lo, gx.shape[0] > 0
        q, i, near = scratch[0, :n], scratch[1, :n], scratch[2, :n]
        for t in range(last, first - 1, -1):
            if streaming:
                for a in range(0, n, PIECE):
                    b = min(a + PIECE, n)
                    prefetch(g, t - 1, lo + a, lo + b)
                    prefetch(read, t - 1, lo + a, lo + b)
                    back(t, g[t, lo + a : lo + b], near[a:b], q[a:b], i[a:b], given, lo + a)
                    if wants:
                        stream(near[a:b], gx[t, lo + a : lo + b])
            else:
                back(t, g[t, lo:hi], gx[t, lo:hi] if wants else near, q, i, given, lo)

    return backward
