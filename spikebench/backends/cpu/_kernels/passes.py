"""The passes over time that neurons with two states share, compiled for each of them."""

from typing import Any

import numpy as np

from spikebench.backends.cpu._kernels.primitives import (
    PIECE,
    bare,
    clear,
    keep,
    pasted,
    prefetch,
    row,
    stream,
)

Array = np.ndarray

FORWARD, BACKWARD = 4, 3  # rows that a pass takes of a work array


def forward_of(step: Any) -> Any:
    """A compiled function of x, s, u, checkpoints, stride, c, work, lo, hi, streaming: all steps of series lo to hi.

    Each is `step(x, u, s, v, i, c)` of one row of every array; the states v and i begin at 0. Spikes go to s. What backward
    needs: the rows u, unless that array is empty, and the states before every `stride`-th step in `checkpoints` [2K, M],
    unless that is empty. With `streaming` rows are prefetched and written past the caches.
    """

    @pasted
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
        v, i = row(scratch, 0, 0, n), row(scratch, 1, 0, n)
        piece, straight = PIECE if streaming else n, save and not streaming
        clear(v)
        clear(i)
        for t in range(x.shape[0]):
            if checkpointed and t % stride == 0:
                keep(v, row(checkpoints, t // stride * 2, lo, hi), streaming)
                keep(i, row(checkpoints, t // stride * 2 + 1, lo, hi), streaming)
            a = 0
            while a < n:  # a range would divide; one call of step for both kinds of rows, since each is compiled
                b = min(a + piece, n)
                if streaming:
                    prefetch(x, t + 1, lo + a, lo + b)
                ut = row(u, t, lo + a, lo + b) if straight else row(scratch, 2, a, b)
                st = row(scratch, 3, a, b) if streaming else row(s, t, lo + a, lo + b)
                step(row(x, t, lo + a, lo + b), ut, st, row(scratch, 0, a, b), row(scratch, 1, a, b), c)
                if streaming:
                    stream(st, row(s, t, lo + a, lo + b))
                    if save:
                        stream(ut, row(u, t, lo + a, lo + b))
                a = b

    return forward


def backward_of(back: Any) -> Any:
    """A compiled function of given, read, g, gx, scratch, first, last, lo, hi, streaming: from step `last` down to `first`.

    Each is `back(t, g, gx, q, i, given, lo)` of one row of g and gx. The sums over later steps, q and i, are the first two
    rows of `scratch`, a bare work array, and are left there. Gradients go to gx, unless that is empty. `read` [T, M] is what
    `back` reads of the arrays `given`, asked for early; it may be empty.
    """

    @pasted
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
        piece, straight = PIECE if streaming else n, wants and not streaming
        for t in range(last, first - 1, -1):
            a = 0
            while a < n:
                b = min(a + piece, n)
                if streaming:
                    prefetch(g, t - 1, lo + a, lo + b)
                    prefetch(read, t - 1, lo + a, lo + b)
                to = row(gx, t, lo + a, lo + b) if straight else row(scratch, 2, a, b)
                back(t, row(g, t, lo + a, lo + b), to, row(scratch, 0, a, b), row(scratch, 1, a, b), given, lo + a)
                if streaming and wants:
                    stream(to, row(gx, t, lo + a, lo + b))
                a = b

    return backward
