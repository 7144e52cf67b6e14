"""Sliding PSN fused: the window over time, the spike and all gradients without a copy of the windows; parallel in time."""

from typing import TYPE_CHECKING, Any, Literal, TypedDict

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import _launch, _operator
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.sliding_psn import SlidingPSN
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LONGEST = 64  # a window is unrolled
STEPS = 64  # time steps per program
# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (5, 2)}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return _too_long(case.options["k"]) or _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


@_operator.traceable
def run(
    neuron: SlidingPSN,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    block: Natural = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted; block: series per program, 0: by their number."""
    if reason := _too_long(len(neuron.weight)):
        raise Refused(reason)
    learns = _launch.learns(x, (neuron.weight, neuron.bias))
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if learns:
        return _Sliding.apply(x, neuron.weight, neuron.bias, neuron, block)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x).view(len(x), -1)
    s = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, flat, s, None, block)
    return s.view(x.shape)


def _too_long(k: int) -> str | None:
    return None if k <= LONGEST else f"the kernels hold a window of at most {LONGEST} steps, not k={k}"


class _Common(TypedDict):
    """Arguments that both kernels take over x [T, M]: L steps a program, K places in the window."""

    weight: Tensor
    T: int
    M: int
    L: int
    K: int
    COMPUTE: tl.dtype
    BLOCK: int


def _plan(neuron: SlidingPSN, x: Tensor, block: int) -> tuple[tuple[int, int], _Common]:
    """Grid and arguments; a warp walks through a few steps of some series, reading each step once per place in the window."""
    width = block or (128 if x.shape[1] >= 1 << 14 else 32)
    steps, count = x.shape
    return (_launch.cdiv(count, width), _launch.cdiv(steps, STEPS)), {
        "weight": neuron.weight,
        "T": steps,
        "M": count,
        "L": STEPS,
        "K": len(neuron.weight),
        "COMPUTE": _launch.COMPUTE[x.dtype],
        "BLOCK": width,
    }


def _forward(neuron: SlidingPSN, x: Tensor, s: Tensor, u: Tensor | None, block: int) -> None:
    grid, arguments = _plan(neuron, x, block)
    _launch.launch(forward_kernel, grid, 1, x, x=x, s=s, u=u, bias=neuron.bias, **arguments)


class _Sliding(_operator.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, neuron: SlidingPSN, block: int) -> Tensor:
        flat = _launch.series(x).view(len(x), -1)
        s, u = torch.empty_like(flat), torch.empty_like(flat, dtype=_launch.wide(x.dtype))
        _forward(neuron, flat, s, u, block)
        ctx.save_for_backward(flat, u, weight, bias)
        ctx.neuron, ctx.block = neuron, block
        return s.view(x.shape)

    @staticmethod
    @_operator.once
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        x, u, weight, bias = ctx.saved_tensors
        neuron: SlidingPSN = ctx.neuron
        g = grad.reshape(u.shape).contiguous()
        dx = torch.empty_like(g)
        grid, arguments = _plan(neuron, g, ctx.block)
        rows = triton.next_power_of_2(len(weight))
        sums = u.new_empty(*grid, rows + 1, dtype=torch.float64)
        kind = {"slope": neuron.slope, "SURROGATE": neuron.surrogate, "ROWS": rows}
        _launch.launch(backward_kernel, grid, 1, g, g=g, u=u, x=x, dx=dx, sums=sums, **kind, **arguments)
        total = sums.sum((0, 1)).to(weight.dtype)
        return dx.view(grad.shape), total[: len(weight)], total[rows].view_as(bias), None, None


@triton.jit(do_not_specialize=["T", "L"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M]
    u,  # [T, M], or None: do not save
    weight,  # [K]
    bias,
    T: "i64",
    L: "i64",
    M,
    K: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    first = tl.program_id(1).to(tl.int64) * L
    b = tl.load(bias).to(COMPUTE)
    for t in tl.range(first, tl.minimum(first + L, T)):
        u_t = tl.zeros([BLOCK], COMPUTE)
        for j in tl.static_range(K):
            seen = t + (j + 1 - K)
            x_t = tl.load(x + seen * M + m, mask=inside & (seen >= 0), other=0).to(COMPUTE)
            u_t += tl.load(weight + j).to(COMPUTE) * x_t
        u_t += b
        tl.store(s + t * M + m, (u_t >= 0).to(COMPUTE).to(s.dtype.element_ty), mask=inside)
        if u is not None:
            tl.store(u + t * M + m, u_t, mask=inside)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    u,  # [T, M]
    x,  # [T, M]
    dx,  # [T, M]
    sums,  # [blocks, chunks, ROWS + 1] of the weight's gradient, then the bias's
    weight,  # [K]
    T: "i64",
    L: "i64",
    M,
    slope: "fp64",
    K: tl.constexpr,
    ROWS: tl.constexpr,
    SURROGATE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    first = tl.program_id(1).to(tl.int64) * L
    k = tl.full([], slope, COMPUTE)
    row = tl.arange(0, ROWS).to(tl.int64)
    by_weight = tl.zeros([ROWS, BLOCK], tl.float64)
    by_bias = tl.zeros([BLOCK], tl.float64)
    for t in tl.range(first, tl.minimum(first + L, T)):
        g_t = tl.load(g + t * M + m, mask=inside, other=0).to(COMPUTE)
        e_t = g_t * derivative(tl.load(u + t * M + m, mask=inside, other=0), k, SURROGATE)
        seen = t + (row + 1 - K)
        window = (row < K) & (seen >= 0)
        x_t = tl.load(x + seen[:, None] * M + m[None, :], mask=window[:, None] & inside[None, :], other=0).to(COMPUTE)
        by_weight += (e_t[None, :] * x_t).to(tl.float64)
        by_bias += e_t.to(tl.float64)
        dx_t = tl.zeros([BLOCK], COMPUTE)
        for j in tl.static_range(K):
            later = t + (K - 1 - j)
            there = inside & (later < T)
            g_t = tl.load(g + later * M + m, mask=there, other=0).to(COMPUTE)
            u_t = tl.load(u + later * M + m, mask=there, other=0)
            dx_t += tl.load(weight + j).to(COMPUTE) * (g_t * derivative(u_t, k, SURROGATE))
        tl.store(dx + t * M + m, dx_t.to(dx.dtype.element_ty), mask=inside)
    at = (tl.program_id(0).to(tl.int64) * tl.num_programs(1) + tl.program_id(1)) * (ROWS + 1)
    tl.store(sums + at + row, tl.sum(by_weight, axis=1))
    tl.store(sums + at + ROWS, tl.sum(by_bias, axis=0))
