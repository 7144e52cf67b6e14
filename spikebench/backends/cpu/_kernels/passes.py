"""The passes over time that neurons with two states share, compiled for each of them."""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.primitives import PIECE, ahead, bare, inlined, keep, stream

Array = np.ndarray

FORWARD, BACKWARD = 4, 3  # rows that a pass takes of a work array


def forward_of(step: Any) -> Any:
    """A compiled function of x, s, u, marks, stride, c, work, lo, hi, far: all steps of series lo to hi.

    Each is `step(x, u, s, v, i, c)` of one row of every array; the states v and i begin at 0. Spikes go to s. What backward
    needs: the rows u, unless that array is empty, and the states before every `stride`-th step in `marks` [2K, M], unless
    that is empty.
    """

    @inlined
    def forward(
        x: Array, s: Array, u: Array, marks: Array, stride: int, c: Array, work: Array, lo: int, hi: int, far: bool
    ) -> None:
        desk, n, save, mark = bare(work), hi - lo, u.shape[0] > 0, marks.shape[0] > 0
        v, i, near_u, near_s = desk[0, :n], desk[1, :n], desk[2, :n], desk[3, :n]
        v[:] = 0
        i[:] = 0
        for t in range(x.shape[0]):
            if mark and t % stride == 0:
                keep(v, marks[t // stride * 2, lo:hi], far)
                keep(i, marks[t // stride * 2 + 1, lo:hi], far)
            if far:
                for a in range(0, n, PIECE):
                    b = min(a + PIECE, n)
                    ahead(x, t + 1, lo + a, lo + b)
                    step(x[t, lo + a : lo + b], near_u[a:b], near_s[a:b], v[a:b], i[a:b], c)
                    stream(near_s[a:b], s[t, lo + a : lo + b])
                    if save:
                        stream(near_u[a:b], u[t, lo + a : lo + b])
            else:
                step(x[t, lo:hi], u[t, lo:hi] if save else near_u, s[t, lo:hi], v, i, c)

    return forward


def backward_of(back: Any) -> Any:
    """A compiled function of given, read, g, gx, desk, first, last, lo, hi, far: from step `last` down to `first`.

    Each is `back(t, g, gx, q, i, given, lo)` of one row of g and gx. The sums over later steps, q and i, are the first two
    rows of `desk`, a bare work array, and are left there. Gradients go to gx, unless that is empty. `read` [T, M] is what
    `back` reads of the arrays `given`, asked for early; it may be empty.
    """

    @inlined
    def backward(
        given: Any, read: Array, g: Array, gx: Array, desk: Array, first: int, last: int, lo: int, hi: int, far: bool
    ) -> None:
        n, wants = hi - lo, gx.shape[0] > 0
        q, i, near = desk[0, :n], desk[1, :n], desk[2, :n]
        for t in range(last, first - 1, -1):
            if far:
                for a in range(0, n, PIECE):
                    b = min(a + PIECE, n)
                    ahead(g, t - 1, lo + a, lo + b)
                    ahead(read, t - 1, lo + a, lo + b)
                    back(t, g[t, lo + a : lo + b], near[a:b], q[a:b], i[a:b], given, lo + a)
                    if wants:
                        stream(near[a:b], gx[t, lo + a : lo + b])
            else:
                back(t, g[t, lo:hi], gx[t, lo:hi] if wants else near, q, i, given, lo)

    return backward
