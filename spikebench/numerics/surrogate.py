"""Spike generation: Heaviside forward, surrogate derivative backward.

`z` is the distance to threshold, `u - threshold`, of any shape. `k` is the slope of a surrogate; its derivative
at z is written beside its name. All are even in z.
"""

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor

Surrogate = Literal["atan", "fast_sigmoid", "sigmoid", "triangle", "exponential", "rectangle"]


def derivative(z: Tensor, surrogate: Surrogate, k: float | Tensor) -> Tensor:
    """Surrogate derivative of the spike at `z`, same shape and dtype."""
    match surrogate:
        case "atan":
            return (k / 2) / (1 + (math.pi / 2 * k * z).square())
        case "fast_sigmoid":
            return 1 / (k * z.abs() + 1).square()
        case "sigmoid":
            p = torch.sigmoid(k * z)
            return k * p * (1 - p)
        case "triangle":
            return k * (1 - k * z.abs()).clamp_min(0)
        case "exponential":
            return k * torch.exp(-k * z.abs())
        case "rectangle":
            return k * (k * z.abs() < 0.5).to(z.dtype)
    raise ValueError(f"no surrogate {surrogate!r}; there are {', '.join(get_args(Surrogate))}")


def by_slope(z: Tensor, surrogate: Surrogate, k: Tensor) -> Tensor:
    """Derivative by the slope k of the function whose derivative by z is the surrogate's and that is 0 at z = 0."""
    by_z = derivative(z, surrogate, k)
    return -z * z.abs() * by_z if surrogate == "fast_sigmoid" else z / k * by_z  # all others are functions of k·z


class _Spike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, surrogate: Surrogate, k: float | Tensor, strict: bool) -> Tensor:
        ctx.save_for_backward(z, *([k] if isinstance(k, Tensor) else []))
        ctx.surrogate, ctx.k = surrogate, None if isinstance(k, Tensor) else k
        return (z > 0 if strict else z >= 0).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, Tensor | None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        z, *slope = ctx.saved_tensors
        k = slope[0] if slope else ctx.k
        by_k = (grad * by_slope(z, ctx.surrogate, k)).sum() if slope and ctx.needs_input_grad[2] else None
        return grad * derivative(z, ctx.surrogate, k), None, by_k, None


def spike(z: Tensor, surrogate: Surrogate = "atan", k: float | Tensor = 2.0, strict: bool = False) -> Tensor:
    """1 where z ≥ 0 (z > 0 if `strict`), else 0, in the dtype of z. A NaN never spikes.

    A slope k that is a tensor of one number gets a gradient too, that of `by_slope`. Raises ValueError in the backward
    pass for an unknown surrogate.
    """
    return _Spike.apply(z, surrogate, k, strict)  # pyright: ignore[reportReturnType]
