"""PRF fused: the rotation and the spikes in one pass, and one pass back that also sums the gradients of what learns."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backends.triton import _launch
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.prf import PRF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 2), "train": (5, 4)}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


def run(
    neuron: PRF,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    block: int = 0,
    warps: int = 0,
    stages: int = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted; block, warps, stages as in lif."""
    wide = _launch.wide(x.dtype)
    gain, omega = neuron.log_dt.to(wide).exp(), neuron.log_omega.to(wide).exp()
    damping, angle = torch.exp(-gain / neuron.tau), gain * omega
    turn = torch.stack([damping * angle.cos(), damping * angle.sin(), gain])  # [3, N], torch differentiates it
    how = {"block": block, "warps": warps, "stages": stages}
    learns = torch.is_grad_enabled() and (x.requires_grad or turn.requires_grad)
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if learns:
        return _PRF.apply(x, turn, neuron, how)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x)
    s = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, turn.contiguous(), flat, s, None, how)
    return s.view(x.shape)


def _forward(
    neuron: PRF, turn: Tensor, x: Tensor, s: Tensor, states: tuple[Tensor, Tensor] | None, how: dict[str, Any]
) -> None:
    shape = _launch.fitted(x.shape[1], x.element_size(), 1, how)
    re, im = states or (None, None)
    tensors = {"x": x, "s": s, "re": re, "im": im, "turn": turn, "N": turn.shape[1]}
    grid, sizes = (triton.cdiv(x.shape[1], shape.block),), _launch.sizes(x, shape)
    _launch.launch(forward_kernel, grid, shape.warps, x, **tensors, threshold=neuron.threshold, **sizes)


class _PRF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, turn: Tensor, neuron: PRF, how: dict[str, Any]) -> Tensor:
        flat, turn = _launch.series(x), turn.contiguous()
        s = torch.empty_like(flat)
        re, im = (torch.empty_like(flat, dtype=turn.dtype) for _ in range(2))
        _forward(neuron, turn, flat, s, (re, im), how)
        ctx.save_for_backward(flat, re, im, turn)
        ctx.neuron, ctx.how = neuron, how
        return s.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        x, re, im, turn = ctx.saved_tensors
        neuron: PRF = ctx.neuron
        g = grad.reshape(x.shape).contiguous()
        dx, sums = torch.empty_like(g), torch.empty(3, g.shape[1], dtype=torch.float64, device=g.device)
        shape = _launch.fitted(g.shape[1], re.element_size(), 4, ctx.how)
        tensors = {"g": g, "x": x, "re": re, "im": im, "dx": dx, "sums": sums, "turn": turn, "N": turn.shape[1]}
        kind = {"threshold": neuron.threshold, "slope": neuron.slope, "SURROGATE": neuron.surrogate}
        grid, sizes = (triton.cdiv(g.shape[1], shape.block),), _launch.sizes(g, shape)
        _launch.launch(backward_kernel, grid, shape.warps, g, **tensors, **kind, **sizes)
        return dx.view(grad.shape), sums.view(3, -1, turn.shape[1]).sum(1).to(turn.dtype), None, None


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M]
    re,  # [T, M] the state before every step, or None: do not save
    im,  # [T, M], or None
    turn,  # [3, N] cos, sin and gain
    T: "i64",
    M,
    N,
    threshold: "fp64",
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    th = tl.full([], threshold, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    n = m % N
    cos = tl.load(turn + n, mask=inside, other=0)
    sin = tl.load(turn + N + n, mask=inside, other=0)
    gain = tl.load(turn + 2 * N + n, mask=inside, other=0)
    r = tl.zeros([BLOCK], COMPUTE)
    i = tl.zeros([BLOCK], COMPUTE)
    for t in tl.range(0, T, num_stages=STAGES):
        at = t * M + m
        if re is not None:
            tl.store(re + at, r, mask=inside)
            tl.store(im + at, i, mask=inside)
        real = cos * r - sin * i + gain * tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        i = sin * r + cos * i
        r = real
        tl.store(s + at, (r >= th).to(COMPUTE).to(s.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["T"])
def backward_kernel(
    g,  # [T, M]
    x,  # [T, M]
    re,  # [T, M] the state before every step
    im,  # [T, M]
    dx,  # [T, M]
    sums,  # [3, M] of the gradients of cos, sin and gain
    turn,  # [3, N]
    T: "i64",
    M,
    N,
    threshold: "fp64",
    slope: "fp64",
    SURROGATE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    th = tl.full([], threshold, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    n = m % N
    cos = tl.load(turn + n, mask=inside, other=0)
    sin = tl.load(turn + N + n, mask=inside, other=0)
    gain = tl.load(turn + 2 * N + n, mask=inside, other=0)
    R = tl.zeros([BLOCK], COMPUTE)  # dL/dRe z_{t+1}
    Q = tl.zeros([BLOCK], COMPUTE)  # dL/dIm z_{t+1}
    by_cos = tl.zeros([BLOCK], tl.float64)
    by_sin = tl.zeros([BLOCK], tl.float64)
    by_gain = tl.zeros([BLOCK], tl.float64)
    for back in tl.range(0, T, num_stages=STAGES):
        at = (T - 1 - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        x_t = tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        r = tl.load(re + at, mask=inside, other=0)
        i = tl.load(im + at, mask=inside, other=0)
        e = g_t * derivative(cos * r - sin * i + gain * x_t - th, k, SURROGATE)
        now = e + cos * R + sin * Q
        Q = cos * Q - sin * R
        R = now
        by_cos += (R * r + Q * i).to(tl.float64)
        by_sin += (Q * r - R * i).to(tl.float64)
        by_gain += (R * x_t).to(tl.float64)
        tl.store(dx + at, (gain * R).to(dx.dtype.element_ty), mask=inside)
    tl.store(sums + m, by_cos, mask=inside)
    tl.store(sums + M + m, by_sin, mask=inside)
    tl.store(sums + 2 * M + m, by_gain, mask=inside)
