"""Exponential, sigmoid and logit that vectorise, in float32 and float64, each with a relative error of about one epsilon."""

import math
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import overload
from numpy.polynomial import Chebyshev, Polynomial

# 1.5·2^(mantissa bits): adding it rounds to an integer and leaves that integer in the low bits
MAGIC32, MAGIC64 = np.float32(1.5 * 2.0**23), 1.5 * 2.0**52
LOG2E32, LOG2E64 = np.float32(math.log2(math.e)), math.log2(math.e)
# what their products with a small integer leave of log2(e)
LOG2E_REST32, LOG2E_REST64 = np.float32(math.log2(math.e) - float(LOG2E32)), 2.0355273740931033e-17
LN2_HIGH32, LN2_LOW32 = np.float32(0.693359375), np.float32(-2.12194440e-4)
LN2_HIGH64, LN2_LOW64 = 6.93147180369123816490e-01, 1.90821492927058770002e-10
MOST32, MOST64 = np.float32(87.0), 708.0
ONE32, TWO32 = np.float32(1.0), np.float32(2.0)
# e^r for |r| ≤ ln(2)/2 within 2e-9
_SPAN = [-math.log(2) / 2, math.log(2) / 2]
A0, A1, A2, A3, A4, A5, A6 = Chebyshev.interpolate(np.exp, 6, _SPAN).convert(kind=Polynomial).coef.astype(np.float32)
B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13 = (1 / math.factorial(k) for k in range(3, 14))
TERMS32 = (A0, A1, A2, A3, A4, A5, A6)
TERMS64 = (1.0, 1.0, 0.5, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13)
# 2^r for |r| ≤ 1/2 within 2e-9, and within 1e-17
POWERS32 = tuple(Chebyshev.interpolate(np.exp2, 6, [-0.5, 0.5]).convert(kind=Polynomial).coef.astype(np.float32))
POWERS64 = tuple(math.log(2) ** k / math.factorial(k) for k in range(14))
ROOT_HALF32, ROOT_HALF64 = np.int32(0x3F3504F3), 0x3FE6A09E667F3BCD  # bits of sqrt(1/2)
C3, C5, C7, C9 = (np.float32(1 / k) for k in (3, 5, 7, 9))
D3, D5, D7, D9, D11, D13, D15, D17, D19, D21 = (1 / k for k in range(3, 22, 2))
ODD32, ODD64 = (C3, C5, C7, C9), (D3, D5, D7, D9, D11, D13, D15, D17, D19, D21)

# a polynomial may be contracted to fused multiply-adds; infinities and NaN keep their meaning
_contracted = njit(error_model="numpy", fastmath={"contract"})


def exp(y: Any) -> Any:
    """e^y between e^±87 or e^±708. In compiled code only, as `log` below."""
    raise NotImplementedError


def log(y: Any) -> Any:
    """Natural logarithm of a normal number y > 0."""
    raise NotImplementedError


@_contracted
def sigmoid(y: Any, one: Any) -> Any:
    """1/(1 + e^−y); `one` has the type of y, so that it is kept."""
    return one / (one + exp(-y))


@_contracted
def logit(y: Any, one: Any) -> Any:
    """log(y/(1 − y)) for y in (0, 1)."""
    return log(y / (one - y))


@overload(exp, jit_options={"error_model": "numpy", "fastmath": {"contract"}})
def _exp(y: Any) -> Any:
    def single(y: Any) -> Any:
        y = MOST32 if y > MOST32 else y
        y = -MOST32 if y < -MOST32 else y
        shifted = MAGIC32 + y * LOG2E32
        n = shifted - MAGIC32
        r = (y - n * LN2_HIGH32) - n * LN2_LOW32
        p = A0 + r * (A1 + r * (A2 + r * (A3 + r * (A4 + r * (A5 + r * A6)))))
        exponent = np.int32(np.float32(shifted).view(np.int32) << 23)
        return np.int32(np.float32(p).view(np.int32) + exponent).view(np.float32)

    def double(y: Any) -> Any:
        y = MOST64 if y > MOST64 else y
        y = -MOST64 if y < -MOST64 else y
        shifted = MAGIC64 + y * LOG2E64
        n = shifted - MAGIC64
        r = (y - n * LN2_HIGH64) - n * LN2_LOW64
        tail = B7 + r * (B8 + r * (B9 + r * (B10 + r * (B11 + r * (B12 + r * B13)))))
        p = 1.0 + r * (1.0 + r * (0.5 + r * (B3 + r * (B4 + r * (B5 + r * (B6 + r * tail))))))
        exponent = np.int64(np.float64(shifted).view(np.int64) << 52)
        return np.int64(np.float64(p).view(np.int64) + exponent).view(np.float64)

    return single if y == types.float32 else double


@overload(log, jit_options={"error_model": "numpy", "fastmath": {"contract"}})
def _log(y: Any) -> Any:
    def single(y: Any) -> Any:
        bits = np.float32(y).view(np.int32)
        exponent = np.int32(np.int32(bits - ROOT_HALF32) >> 23)
        m = np.int32(bits - np.int32(exponent << 23)).view(np.float32)
        r = (m - ONE32) / (m + ONE32)
        q = r * r
        low = TWO32 * r * q * (C3 + q * (C5 + q * (C7 + q * C9)))
        n = np.float32(exponent)
        return n * LN2_HIGH32 + (TWO32 * r + (low + n * LN2_LOW32))

    def double(y: Any) -> Any:
        bits = np.float64(y).view(np.int64)
        exponent = (bits - ROOT_HALF64) >> 52
        m = np.int64(bits - (exponent << 52)).view(np.float64)
        r = (m - 1.0) / (m + 1.0)
        q = r * r
        tail = D11 + q * (D13 + q * (D15 + q * (D17 + q * (D19 + q * D21))))
        low = 2.0 * r * q * (D3 + q * (D5 + q * (D7 + q * (D9 + q * tail))))
        n = np.float64(exponent)
        return n * LN2_HIGH64 + (2.0 * r + (low + n * LN2_LOW64))

    return single if y == types.float32 else double
