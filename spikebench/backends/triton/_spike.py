"""The spike and its surrogate derivative, one kernel each: what follows a membrane that a product of matrices made."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch
from spikebench.backends.triton._operator import Function, once, operated
from spikebench.backends.triton._surrogate import derivative
from spikebench.numerics.surrogate import Surrogate

BLOCK, WARPS = 1024, 4


def spiked(u: Tensor, surrogate: Surrogate, slope: float, spikes: Literal["same", "uint8"]) -> Tensor:
    """Spikes where u ≥ 0, in the dtype of u or as uint8; the gradient goes through the surrogate."""
    if torch.compiler.is_compiling():
        return operated(__name__, ("spiked", surrogate, spikes), u, (), (slope,))
    return _spiked(u, surrogate, slope, spikes)


def remade(
    spec: tuple[Any, ...], learned: Sequence[Tensor], numbers: Sequence[float], call: int
) -> Callable[[Tensor], Tensor]:
    """The function of u that the operator of `spiked` names."""
    _, surrogate, spikes = spec
    return lambda u: _spiked(u, surrogate, numbers[0], spikes)


def _spiked(u: Tensor, surrogate: Surrogate, slope: float, spikes: Literal["same", "uint8"]) -> Tensor:
    learns = _launch.learns(u, ())
    dtype = _launch.dtype_of_spikes(u, spikes, learns)
    if learns:
        return _Spike.apply(u, surrogate, slope)  # pyright: ignore[reportReturnType]  # untyped in torch
    return _forward(_launch.series(u), dtype)


def _forward(u: Tensor, dtype: torch.dtype) -> Tensor:
    s = torch.empty_like(u, dtype=dtype)
    grid = (_launch.cdiv(u.numel(), BLOCK),)
    _launch.launch(forward_kernel, grid, WARPS, u, u=u, s=s, COUNT=u.numel(), BLOCK=BLOCK)
    return s


class _Spike(Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, surrogate: Surrogate, slope: float) -> Tensor:
        u = _launch.series(u)
        ctx.save_for_backward(u)
        ctx.kind = {"slope": slope, "SURROGATE": surrogate}
        return _forward(u, u.dtype)

    @staticmethod
    @once
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (u,) = ctx.saved_tensors
        g, e = grad.contiguous(), torch.empty_like(u)
        sizes = {"COUNT": u.numel(), "COMPUTE": _launch.COMPUTE[u.dtype], "BLOCK": BLOCK}
        grid = (_launch.cdiv(u.numel(), BLOCK),)
        _launch.launch(backward_kernel, grid, WARPS, u, g=g, u=u, e=e, **ctx.kind, **sizes)
        return e, None, None


@triton.jit
def forward_kernel(u, s, COUNT, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < COUNT
    fired = tl.load(u + at, mask=there, other=0) >= 0
    tl.store(s + at, fired.to(tl.float32).to(s.dtype.element_ty), mask=there)


@triton.jit
def backward_kernel(g, u, e, COUNT, slope: "fp64", SURROGATE: tl.constexpr, COMPUTE: tl.constexpr, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < COUNT
    u_t = tl.load(u + at, mask=there, other=0).to(COMPUTE)
    g_t = tl.load(g + at, mask=there, other=0).to(COMPUTE)
    k = tl.full([], slope, COMPUTE)
    tl.store(e + at, (g_t * derivative(u_t, k, SURROGATE)).to(e.dtype.element_ty), mask=there)
