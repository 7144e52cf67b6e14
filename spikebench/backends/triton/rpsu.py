"""RPSU: its product by cuBLAS, then probabilities, both filters and the spike in one pass over time, or over chunks."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backend import constant, only
from spikebench.backends.triton import _launch, psn
from spikebench.backends.triton._scan import carry
from spikebench.backends.triton._surrogate import derivative, logistic
from spikebench.neurons.rpsu import RPSU

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return only(case, learn_slope=(False,)) or psn.refuses(case)


def operations(case: "Case") -> int:
    """Multiplications and additions, as of psn."""
    return psn.operations(case)


def run(
    neuron: RPSU,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    chunk: int | None = None,
    block: int = 0,
    warps: int = 0,
    stages: int = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted; further options as in psu."""
    how = {"chunk": chunk, "block": block, "warps": warps, "stages": stages}
    flat = _launch.series(x)
    q = torch.addmm(neuron.bias, neuron.weight.tril(), flat)
    learns = torch.is_grad_enabled() and (x.requires_grad or q.requires_grad)
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if learns:
        return _RPSU.apply(flat, q, neuron, how).view(x.shape)  # pyright: ignore[reportOptionalMemberAccess]  # untyped in torch
    s = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, flat, q, s, None, how)
    return s.view(x.shape)


def _constants(neuron: RPSU) -> dict[str, float]:
    return {"decay": neuron.decay, "rest": neuron.gain, "threshold": float(neuron.threshold)}


def _forward(neuron: RPSU, x: Tensor, q: Tensor, s: Tensor, v: Tensor | None, how: dict[str, Any]) -> None:
    """Spikes into s [T, M], the membranes into v."""
    shape = _launch.fitted(x.shape[1], x.element_size(), 2, how)
    length = _launch.steps_per_chunk(x, how["chunk"])
    grid = (triton.cdiv(x.shape[1], shape.block), triton.cdiv(x.shape[0], length))
    common = {"x": x, "q": q, "L": length, **_constants(neuron), **_launch.sizes(x, shape)}
    state = None
    if grid[1] > 1:
        ends = x.new_empty(grid[1], x.shape[1], dtype=_launch.wide(x.dtype))
        _launch.launch(forward_kernel, grid, shape.warps, x, **common, s=None, v=None, state=ends, ENDS=True)
        state = carry(ends, None, (neuron.decay**length, 0.0, 0.0), reverse=False)
    _launch.launch(forward_kernel, grid, shape.warps, x, **common, s=s, v=v, state=state, ENDS=False)


class _RPSU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, q: Tensor, neuron: RPSU, how: dict[str, Any]) -> Tensor:
        v, s = torch.empty_like(x, dtype=_launch.wide(x.dtype)), torch.empty_like(x)
        _forward(neuron, x, q, s, v, how)
        ctx.save_for_backward(q, v)
        ctx.neuron, ctx.how = neuron, how
        return s

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        q, v = ctx.saved_tensors
        neuron: RPSU = ctx.neuron
        g = grad.contiguous()
        shape = _launch.fitted(g.shape[1], v.element_size(), 3, ctx.how)
        length = _launch.steps_per_chunk(g, ctx.how["chunk"])
        grid = (triton.cdiv(g.shape[1], shape.block), triton.cdiv(g.shape[0], length))
        kind = {"slope": constant(neuron.slope, "slope"), "SURROGATE": neuron.surrogate, "L": length}
        common = {"g": g, "q": q, "v": v, **kind, **_constants(neuron), **_launch.sizes(g, shape)}
        state = None
        if grid[1] > 1:
            ends = v.new_empty(grid[1], g.shape[1])
            _launch.launch(backward_kernel, grid, shape.warps, g, **common, dx=None, dq=None, state=ends, ENDS=True)
            state = carry(ends, None, (neuron.decay**length, 0.0, 0.0), reverse=True)
        dx, dq = torch.empty_like(g), torch.empty_like(g)
        _launch.launch(backward_kernel, grid, shape.warps, g, **common, dx=dx, dq=dq, state=state, ENDS=False)
        return dx, dq, None, None


@triton.jit(do_not_specialize=["T", "L"])
def forward_kernel(
    x,  # [T, M]
    q,  # [T, M]
    s,  # [T, M], or None: only the ends are wanted
    v,  # [T, M], or None: do not save
    state,  # [chunks, M] written if ENDS, [1, chunks, M] read if not, or None: one chunk
    T: "i64",
    L: "i64",
    M,
    decay: "fp64",
    rest: "fp64",
    threshold: "fp64",
    ENDS: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE)
    c = tl.full([], rest, COMPUTE)
    th = tl.full([], threshold, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    chunk = tl.program_id(1).to(tl.int64)
    first = chunk * L
    y = tl.zeros([BLOCK], COMPUTE)  # decay·(v − p) of the step before
    if not ENDS:
        if state is not None:
            y = tl.load(state + chunk * M + m, mask=inside, other=0)
    for t in tl.range(first, tl.minimum(first + L, T), num_stages=STAGES):
        at = t * M + m
        v_t = y + c * tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        p_t = logistic(tl.load(q + at, mask=inside, other=0).to(COMPUTE))
        y = d * (v_t - p_t)
        if s is not None:
            tl.store(s + at, (v_t >= th).to(COMPUTE).to(s.dtype.element_ty), mask=inside)
        if v is not None:
            tl.store(v + at, v_t, mask=inside)
    if ENDS:
        tl.store(state + chunk * M + m, y, mask=inside)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    q,  # [T, M]
    v,  # [T, M]
    dx,  # [T, M], or None: only the ends are wanted
    dq,  # [T, M], or None
    state,  # [chunks, M] written if ENDS, [1, chunks, M] read if not, or None: one chunk
    T: "i64",
    L: "i64",
    M,
    decay: "fp64",
    rest: "fp64",
    threshold: "fp64",
    slope: "fp64",
    SURROGATE: tl.constexpr,
    ENDS: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE)
    c = tl.full([], rest, COMPUTE)
    th = tl.full([], threshold, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    chunk = tl.program_id(1).to(tl.int64)
    first = chunk * L
    last = tl.minimum(first + L, T) - 1
    later = tl.zeros([BLOCK], COMPUTE)  # decay·E of the step after
    if not ENDS:
        if state is not None:
            later = tl.load(state + chunk * M + m, mask=inside, other=0)
    for back in tl.range(0, last + 1 - first, num_stages=STAGES):
        at = (last - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        v_t = tl.load(v + at, mask=inside, other=0)
        E = g_t * derivative(v_t - th, k, SURROGATE) + later
        if dx is not None:
            p = logistic(tl.load(q + at, mask=inside, other=0).to(COMPUTE))
            tl.store(dq + at, (-later * (p * (1 - p))).to(dq.dtype.element_ty), mask=inside)
            tl.store(dx + at, (c * E).to(dx.dtype.element_ty), mask=inside)
        later = d * E
    if ENDS:
        tl.store(state + chunk * M + m, later, mask=inside)
