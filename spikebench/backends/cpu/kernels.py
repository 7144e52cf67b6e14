"""The compiled loops of the cpu backend. One file: numba's disk cache sees a change only in the file of the kernel itself.

Arrays are [T, M] with M series side by side; a row kernel does one step of one block of series and vectorises over them.
Constants come in one array of the data's dtype, so that float32 stays float32; nothing is contracted to a fused
multiply-add, so a membrane has the bits of the definition.
"""

import math
from typing import Any

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

STRIDE = 32  # steps between checkpoints
ATAN, FAST_SIGMOID, SIGMOID, TRIANGLE, EXPONENTIAL = range(5)

Array = np.ndarray
Scalar = np.floating


def _compiled(**options: Any) -> Any:
    return njit(cache=True, nogil=True, error_model="numpy", **options)


# 1.5·2^(mantissa bits): adding it rounds to an integer and leaves that integer in the low bits
MAGIC32, MAGIC64 = np.float32(1.5 * 2.0**23), 1.5 * 2.0**52
LOG2E32, LOG2E64 = np.float32(math.log2(math.e)), math.log2(math.e)
LN2_HIGH32, LN2_LOW32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
LN2_HIGH64, LN2_LOW64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
MOST32, MOST64 = np.float32(87.0), 708.0
ONE32 = np.float32(1.0)
A2, A3, A4, A5, A6, A7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))
B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13 = (1 / math.factorial(k) for k in range(3, 14))


def exp_minus(y: Any) -> Any:
    """e^−y for y ≥ 0 in float32 or float64, relative error below one epsilon; no smaller than e^−87 or e^−708."""
    raise NotImplementedError("compiled code only")


@overload(exp_minus)
def _exp_minus(y: Any) -> Any:
    def single(y: Any) -> Any:
        y = MOST32 if y > MOST32 else y
        shifted = MAGIC32 - y * LOG2E32
        n = shifted - MAGIC32
        r = (-y - n * LN2_HIGH32) - n * LN2_LOW32
        p = ONE32 + r * (ONE32 + r * (A2 + r * (A3 + r * (A4 + r * (A5 + r * (A6 + r * A7))))))
        exponent = np.int32(np.float32(shifted).view(np.int32) << 23)
        return np.int32(np.float32(p).view(np.int32) + exponent).view(np.float32)

    def double(y: Any) -> Any:
        y = MOST64 if y > MOST64 else y
        shifted = MAGIC64 - y * LOG2E64
        n = shifted - MAGIC64
        r = (-y - n * LN2_HIGH64) - n * LN2_LOW64
        tail = B7 + r * (B8 + r * (B9 + r * (B10 + r * (B11 + r * (B12 + r * B13)))))
        p = 1.0 + r * (1.0 + r * (0.5 + r * (B3 + r * (B4 + r * (B5 + r * (B6 + r * tail))))))
        exponent = np.int64(np.float64(shifted).view(np.int64) << 52)
        return np.int64(np.float64(p).view(np.int64) + exponent).view(np.float64)

    return single if y == types.float32 else double


# lif: u = a·v + scale·i, s = [u ≥ level], v = b·u·(1 − hard·s) − drop·s. The constants:
A, B, SCALE, LEVEL, THRESHOLD, HARD, DROP, SOFT, THROUGH, DELAYED, SCALED, SYNAPSE, SLOPE, INNER, ONE, ZERO, COUNT = (
    range(17)
)


@_compiled()
def _advance(x: Array, u: Array, s: Array, v: Array, c: Array) -> None:
    a, b, scale, level, hard, drop = c[A], c[B], c[SCALE], c[LEVEL], c[HARD], c[DROP]
    one, zero = c[ONE], c[ZERO]
    for m in range(x.size):
        um = a * v[m] + scale * x[m]
        sm = one if um >= level else zero
        u[m] = um
        s[m] = sm
        v[m] = b * um * (one - hard * sm) - drop * sm


@_compiled()
def _filter(x: Array, i: Array, decay: Scalar) -> None:
    for m in range(x.size):
        i[m] = decay * i[m] + x[m]


@_compiled()
def _slopes(u: Array, out: Array, kind: int, c: Array) -> None:
    threshold, k, inner, one, zero = c[THRESHOLD], c[SLOPE], c[INNER], c[ONE], c[ZERO]
    if kind == ATAN:
        for m in range(u.size):
            z = inner * (u[m] - threshold)
            out[m] = k / (one + z * z)
    elif kind == FAST_SIGMOID:
        for m in range(u.size):
            z = k * abs(u[m] - threshold) + one
            out[m] = one / (z * z)
    elif kind == SIGMOID:
        for m in range(u.size):
            e = exp_minus(k * abs(u[m] - threshold))
            out[m] = k * e / ((one + e) * (one + e))
    elif kind == TRIANGLE:
        for m in range(u.size):
            z = one - k * abs(u[m] - threshold)
            out[m] = k * (zero if z < zero else z)
    else:
        for m in range(u.size):
            out[m] = k * exp_minus(k * abs(u[m] - threshold))


@_compiled()
def _retreat(g: Array, u: Array, slope: Array, q: Array, gx: Array, c: Array) -> None:
    """q: the gradient of u, of the next step on entry, of this one on return."""
    a, b, scale, level, hard, drop, through = c[A], c[B], c[SCALE], c[LEVEL], c[HARD], c[DROP], c[THROUGH]
    one, zero = c[ONE], c[ZERO]
    for m in range(g.size):
        um = u[m]
        sm = one if um >= level else zero
        gv = a * q[m]
        lost = b * um if hard > zero else drop
        gu = (g[m] - through * lost * gv) * slope[m] + b * (one - hard * sm) * gv
        q[m] = gu
        gx[m] = scale * gu


@_compiled()
def _learn(g: Array, u: Array, slope: Array, q: Array, decay: Array, threshold: Array, c: Array) -> None:
    """Adds the gradients of decay and threshold; before `_retreat`."""
    a, b, level, hard, drop, through = c[A], c[B], c[LEVEL], c[HARD], c[DROP], c[THROUGH]
    one, zero = c[ONE], c[ZERO]
    delayed = c[DELAYED] > zero
    for m in range(g.size):
        um = u[m]
        sm = one if um >= level else zero
        gv = a * q[m]
        lost = b * um if hard > zero else drop
        vm = um if delayed else um * (one - hard * sm) - drop * sm
        decay[m] += q[m] * vm
        threshold[m] -= (g[m] - through * lost * gv) * slope[m] + c[SOFT] * sm * gv


@_compiled(parallel=True)
def lif_forward(x: Array, u: Array, s: Array, marks: Array, c: Array, edges: Array) -> None:
    """Spikes s, and for backward all membranes u [T, M] or the states every STRIDE steps, marks [K, 2, M]; else empty."""
    for part in prange(edges.size - 1):
        lo, hi = edges[part], edges[part + 1]
        v, i, spare = np.zeros(hi - lo, x.dtype), np.zeros(hi - lo, x.dtype), np.empty(hi - lo, x.dtype)
        for t in range(x.shape[0]):
            if marks.shape[0] > 0 and t % STRIDE == 0:
                marks[t // STRIDE, 0, lo:hi] = v
                marks[t // STRIDE, 1, lo:hi] = i
            xt = x[t, lo:hi]
            if c[SYNAPSE] >= c[ZERO]:
                _filter(xt, i, c[SYNAPSE])
                xt = i
            _advance(xt, u[t, lo:hi] if u.shape[0] > 0 else spare, s[t, lo:hi], v, c)


@_compiled(parallel=True)
def lif_backward(
    g: Array, u: Array, x: Array, marks: Array, gx: Array, learned: Array, kind: int, c: Array, edges: Array
) -> None:
    """Gradients gx [T, M] and, per series, learned [2, M] of decay and threshold; either may be empty.

    The membranes come from u or, if that is empty, from x and marks with the bits of the forward pass.
    """
    steps, dtype = g.shape[0], g.dtype
    for part in prange(edges.size - 1):
        lo, hi = edges[part], edges[part + 1]
        n = hi - lo
        q, current, slope, spare = np.zeros(n, dtype), np.zeros(n, dtype), np.empty(n, dtype), np.empty(n, dtype)
        v, i, again = np.empty(n, dtype), np.empty(n, dtype), np.empty((0 if u.shape[0] > 0 else STRIDE, n), dtype)
        for t in range(steps - 1, -1, -1):
            if u.shape[0] == 0 and (t == steps - 1 or t % STRIDE == STRIDE - 1):
                first = t // STRIDE
                v[:] = marks[first, 0, lo:hi]
                i[:] = marks[first, 1, lo:hi]
                for r in range(first * STRIDE, t + 1):
                    xr = x[r, lo:hi]
                    if c[SYNAPSE] >= c[ZERO]:
                        _filter(xr, i, c[SYNAPSE])
                        xr = i
                    _advance(xr, again[r % STRIDE], spare, v, c)
            ut = u[t, lo:hi] if u.shape[0] > 0 else again[t % STRIDE]
            gt, out = g[t, lo:hi], gx[t, lo:hi] if gx.shape[0] > 0 else spare
            _slopes(ut, slope, kind, c)
            if learned.shape[0] > 0:
                _learn(gt, ut, slope, q, learned[0, lo:hi], learned[1, lo:hi], c)
            _retreat(gt, ut, slope, q, out, c)
            if c[SYNAPSE] >= c[ZERO]:
                _filter(q, current, c[SYNAPSE])
                for m in range(n):
                    out[m] = c[SCALE] * current[m]
            if learned.shape[0] > 0 and c[SCALED] > c[ZERO] and x.shape[0] > 0:
                _shrink(learned[0, lo:hi], current if c[SYNAPSE] >= c[ZERO] else q, x[t, lo:hi])


@_compiled()
def _shrink(total: Array, q: Array, x: Array) -> None:
    for m in range(x.size):
        total[m] -= q[m] * x[m]
