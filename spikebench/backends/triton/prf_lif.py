"""The decoupled LIF fused: filter, raised threshold and spikes in one pass, its gradient in one pass back."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backends.triton import _launch
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.prf_lif import PRFLIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (4, 2)}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


def run(
    neuron: PRFLIF,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    block: int = 0,
    warps: int = 0,
    stages: int = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted; block, warps, stages as in lif."""
    how = {"block": block, "warps": warps, "stages": stages}
    learns = torch.is_grad_enabled() and x.requires_grad
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if learns:
        return _PRFLIF.apply(x, neuron, how)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x)
    s = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, flat, s, None, how)
    return s.view(x.shape)


def _forward(neuron: PRFLIF, x: Tensor, s: Tensor, u: Tensor | None, how: dict[str, Any]) -> None:
    shape = _launch.fitted(x.shape[1], x.element_size(), 1, how)
    fade = neuron.decay if neuron.accumulation == "decayed" else 1.0
    numbers = {"decay": neuron.decay, "lift": neuron.threshold * neuron.decay, "fade": fade}
    grid, sizes = (triton.cdiv(x.shape[1], shape.block),), _launch.sizes(x, shape)
    kind = {**numbers, "threshold": neuron.threshold}
    _launch.launch(forward_kernel, grid, shape.warps, x, x=x, s=s, u=u, **kind, **sizes)


class _PRFLIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: PRFLIF, how: dict[str, Any]) -> Tensor:
        flat = _launch.series(x)
        s, u = torch.empty_like(flat), torch.empty_like(flat, dtype=_launch.wide(x.dtype))
        _forward(neuron, flat, s, u, how)
        ctx.save_for_backward(u)
        ctx.neuron, ctx.how = neuron, how
        return s.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        (u,) = ctx.saved_tensors
        neuron: PRFLIF = ctx.neuron
        g = grad.reshape(u.shape).contiguous()
        dx, shape = torch.empty_like(g), _launch.fitted(g.shape[1], u.element_size(), 2, ctx.how)
        kind = {"decay": neuron.decay, "threshold": neuron.threshold, "slope": neuron.slope}
        grid, sizes = (triton.cdiv(g.shape[1], shape.block),), _launch.sizes(g, shape)
        tensors = {"g": g, "u": u, "dx": dx}
        _launch.launch(backward_kernel, grid, shape.warps, g, **tensors, **kind, SURROGATE=neuron.surrogate, **sizes)
        return dx.view(grad.shape), None, None


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M]
    u,  # [T, M], or None: do not save
    T: "i64",
    M,
    decay: "fp64",
    lift: "fp64",
    fade: "fp64",
    threshold: "fp64",
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE)
    up = tl.full([], lift, COMPUTE)
    f = tl.full([], fade, COMPUTE)
    th = tl.full([], threshold, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    w = tl.zeros([BLOCK], COMPUTE)
    a = tl.zeros([BLOCK], COMPUTE)
    for t in tl.range(0, T, num_stages=STAGES):
        at = t * M + m
        w = d * w + tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        u_t = w - up * a
        s_t = (u_t >= th).to(COMPUTE)
        a = s_t + f * a
        tl.store(s + at, s_t.to(s.dtype.element_ty), mask=inside)
        if u is not None:
            tl.store(u + at, u_t, mask=inside)


@triton.jit(do_not_specialize=["T"])
def backward_kernel(
    g,  # [T, M]
    u,  # [T, M]
    dx,  # [T, M]
    T: "i64",
    M,
    decay: "fp64",
    threshold: "fp64",
    slope: "fp64",
    SURROGATE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE)
    th = tl.full([], threshold, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    later = tl.zeros([BLOCK], COMPUTE)  # dL/dw_{t+1}
    for back in tl.range(0, T, num_stages=STAGES):
        at = (T - 1 - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        u_t = tl.load(u + at, mask=inside, other=0)
        later = g_t * derivative(u_t - th, k, SURROGATE) + d * later
        tl.store(dx + at, later.to(dx.dtype.element_ty), mask=inside)
