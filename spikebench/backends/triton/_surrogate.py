"""Surrogate derivatives and the logistic function inside kernels."""

import triton
import triton.language as tl


@triton.jit
def logistic(v):
    """1 / (1 + e^−v)."""
    return 1 / (1 + tl.exp(-v))


@triton.jit
def derivative(z, k, NAME: tl.constexpr):
    """Surrogate derivative at distance z to the threshold with slope k; the formulas are those of the definitions."""
    if NAME == "atan":
        q = 1.5707963267948966 * k * z
        return (k / 2) / (1 + q * q)
    elif NAME == "fast_sigmoid":
        q = k * tl.abs(z) + 1
        return 1 / (q * q)
    elif NAME == "sigmoid":
        p = logistic(k * z)
        return k * p * (1 - p)
    elif NAME == "triangle":
        q = 1 - k * tl.abs(z)
        return k * tl.where(q < 0, 0, q)
    elif NAME == "rectangle":
        return tl.where(k * tl.abs(z) < 0.5, k, 0)
    else:
        tl.static_assert(NAME == "exponential", "no such surrogate")
        return k * tl.exp(-k * tl.abs(z))
