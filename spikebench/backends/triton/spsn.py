"""SPSN fused: two recurrences, the probability, Philox and the sample in one pass; long thin inputs as a scan over chunks."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backends.triton import _launch
from spikebench.backends.triton._philox import signed, uniforms
from spikebench.backends.triton._scan import carry
from spikebench.backends.triton._surrogate import logistic
from spikebench.neurons.spsn import SPSN
from spikebench.numerics.philox import MASK

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
    neuron: SPSN,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    chunk: int | None = None,
    block: int = 0,
    warps: int = 0,
    stages: int = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted.

    chunk: steps per chunk of a scan over chunks, forward and backward; 0: one sequential pass; None: by the number of
    steps and series. block, warps, stages: kernel shape; 0: by the number of series.
    """
    how = {"chunk": chunk, "block": block, "warps": warps, "stages": stages}
    learns = torch.is_grad_enabled() and x.requires_grad
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    draw = {"seed": signed(neuron.seed if seed is None else seed), "call": neuron.next_call() & MASK}
    if learns:
        return _SPSN.apply(x, neuron, draw, how)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x)
    s = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, draw, flat, s, None, how)
    return s.view(x.shape)


def _forward(neuron: SPSN, draw: dict[str, int], x: Tensor, s: Tensor, y: Tensor | None, how: dict[str, Any]) -> None:
    """Spikes into s [T, M], and what the backward pass needs into y [T, M]: p, or the relaxed sample."""
    shape = _launch.fitted(x.shape[1], x.element_size(), 1, how, rows=4)
    length = _launch.steps_per_chunk(x, how["chunk"])
    grid = (triton.cdiv(x.shape[1], shape.block), triton.cdiv(x.shape[0], length))
    state = None
    if grid[1] > 1:
        state = _entering(neuron, x, None, length, how, (neuron.syn_decay, neuron.mem_decay))
    tensors = {"x": x, "s": s, "y": y, "state": state, "L": length, **_launch.sizes(x, shape)}
    noise = {**draw, "site": neuron.site & MASK}
    kind = {**_decays(neuron), "tau": neuron.tau, "GUMBEL": neuron.mode == "gs"}
    _launch.launch(forward_kernel, grid, shape.warps, x, **tensors, **noise, **kind)


def _entering(
    neuron: SPSN, x: Tensor, y: Tensor | None, length: int, how: dict[str, Any], decays: tuple[float, float]
) -> Tensor:
    """The state (p, q) that enters every chunk, of p' = α·p + input and q' = β·q + γ·p'; with y backwards in time.

    Backwards the membrane comes first, and its scale γ = 1 − mem_decay stands between the two as it does forwards.
    """
    alpha, beta = decays
    gamma = 1 - neuron.mem_decay
    shape = _launch.fitted(x.shape[1], x.element_size(), 1 if y is None else 2, how)
    grid = (triton.cdiv(x.shape[1], shape.block), triton.cdiv(x.shape[0], length))
    ends = x.new_empty(2, grid[1], x.shape[1], dtype=_launch.wide(x.dtype))
    tensors = {"x": x, "y": y, "ends": ends, "L": length, **_launch.sizes(x, shape)}
    numbers = {"alpha": alpha, "beta": beta, "gamma": gamma, "tau": neuron.tau}
    _launch.launch(ends_kernel, grid, shape.warps, x, **tensors, **numbers, **_kind(neuron))
    p, q = 1.0, 0.0
    for _ in range(length):
        p = alpha * p
        q = beta * q + gamma * p
    return carry(ends[0], ends[1], (p, q, beta**length), reverse=y is not None)


def _decays(neuron: SPSN) -> dict[str, float]:
    return {"syn": neuron.syn_decay, "mem": neuron.mem_decay, "rest": 1 - neuron.mem_decay}


def _kind(neuron: SPSN) -> dict[str, bool]:
    return {"GUMBEL": neuron.mode == "gs", "AUTHORS": neuron.estimator == "authors"}


class _SPSN(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: SPSN, draw: dict[str, int], how: dict[str, Any]) -> Tensor:
        flat = _launch.series(x)
        s, y = torch.empty_like(flat), torch.empty_like(flat, dtype=_launch.wide(x.dtype))
        _forward(neuron, draw, flat, s, y, how)
        ctx.save_for_backward(y)
        ctx.neuron, ctx.how = neuron, how
        return s.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        (y,) = ctx.saved_tensors
        neuron: SPSN = ctx.neuron
        g = grad.reshape(y.shape).contiguous()
        shape = _launch.fitted(g.shape[1], y.element_size(), 2, ctx.how)
        length = _launch.steps_per_chunk(g, ctx.how["chunk"])
        grid = (triton.cdiv(g.shape[1], shape.block), triton.cdiv(g.shape[0], length))
        state = None
        if grid[1] > 1:
            state = _entering(neuron, g, y, length, ctx.how, (neuron.mem_decay, neuron.syn_decay))
        dx = torch.empty_like(g)
        tensors = {"g": g, "y": y, "dx": dx, "state": state, "L": length, **_launch.sizes(g, shape)}
        kind = {**_decays(neuron), "tau": neuron.tau, **_kind(neuron)}
        _launch.launch(backward_kernel, grid, shape.warps, g, **tensors, **kind)
        return dx.view(grad.shape), None, None, None


@triton.jit
def _to_membrane(g, y, tau, GUMBEL: tl.constexpr, AUTHORS: tl.constexpr):
    """dL/dv from dL/ds and what the forward pass saved."""
    e = g * y * (1 - y)
    if GUMBEL:
        e = e * (2 / tau)
    elif AUTHORS:
        e = e * y
    return e


@triton.jit(do_not_specialize=["T", "L", "seed", "call", "site"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M]
    y,  # [T, M], or None: do not save
    state,  # [2, chunks, M], or None: one chunk
    seed: "i64",
    call: "i64",
    site: "i64",
    T: "i64",
    L: "i64",
    M,
    syn: "fp64",
    mem: "fp64",
    rest: "fp64",
    tau: "fp64",
    GUMBEL: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    a = tl.full([], syn, COMPUTE)
    b = tl.full([], mem, COMPUTE)
    c = tl.full([], rest, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    chunk = tl.program_id(1).to(tl.int64)
    first = chunk * L
    end = tl.minimum(first + L, T)
    i = tl.zeros([BLOCK], COMPUTE)
    v = tl.zeros([BLOCK], COMPUTE)
    if state is not None:
        i = tl.load(state + chunk * M + m, mask=inside, other=0)
        v = tl.load(state + (tl.num_programs(1).to(tl.int64) + chunk) * M + m, mask=inside, other=0)
    for four in tl.range(first // 4, (end + 3) // 4, num_stages=STAGES):
        drawn = uniforms(seed, four * M + m, site, call)
        for j in tl.static_range(4):
            at = (four * 4 + j) * M + m
            there = inside & (four * 4 + j < end)
            i = a * i + tl.load(x + at, mask=there, other=0).to(COMPUTE)
            v = b * v + c * i
            p = logistic(2 * v if GUMBEL else v)
            uniform = drawn[j].to(COMPUTE)
            tl.store(s + at, (uniform < p).to(COMPUTE).to(s.dtype.element_ty), mask=there)
            if y is not None:
                if GUMBEL:
                    u = tl.maximum(uniform, 2.0**-25)
                    p = logistic((2 * v - tl.log(u / (1 - u))) / tl.full([], tau, COMPUTE))
                tl.store(y + at, p, mask=there)


@triton.jit(do_not_specialize=["T", "L"])
def ends_kernel(
    x,  # [T, M] the input, or with y dL/ds
    y,  # [T, M] what the forward pass saved, then time runs backwards; or None
    ends,  # [2, chunks, M]
    T: "i64",
    L: "i64",
    M,
    alpha: "fp64",
    beta: "fp64",
    gamma: "fp64",
    tau: "fp64",
    GUMBEL: tl.constexpr,
    AUTHORS: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    a = tl.full([], alpha, COMPUTE)
    b = tl.full([], beta, COMPUTE)
    c = tl.full([], gamma, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    chunk = tl.program_id(1).to(tl.int64)
    first = chunk * L
    end = tl.minimum(first + L, T)
    p = tl.zeros([BLOCK], COMPUTE)
    q = tl.zeros([BLOCK], COMPUTE)
    for n in tl.range(0, end - first, num_stages=STAGES):
        at = (first + n if y is None else end - 1 - n) * M + m
        value = tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        if y is not None:
            y_t = tl.load(y + at, mask=inside, other=0)
            value = _to_membrane(value, y_t, tl.full([], tau, COMPUTE), GUMBEL, AUTHORS)
        p = a * p + value
        q = b * q + c * p
    tl.store(ends + chunk * M + m, p, mask=inside)
    tl.store(ends + (tl.num_programs(1).to(tl.int64) + chunk) * M + m, q, mask=inside)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    y,  # [T, M]
    dx,  # [T, M]
    state,  # [2, chunks, M], or None: one chunk
    T: "i64",
    L: "i64",
    M,
    syn: "fp64",
    mem: "fp64",
    rest: "fp64",
    tau: "fp64",
    GUMBEL: tl.constexpr,
    AUTHORS: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    a = tl.full([], syn, COMPUTE)
    b = tl.full([], mem, COMPUTE)
    c = tl.full([], rest, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    chunk = tl.program_id(1).to(tl.int64)
    first = chunk * L
    end = tl.minimum(first + L, T)
    V = tl.zeros([BLOCK], COMPUTE)  # dL/dv_{t+1}
    X = tl.zeros([BLOCK], COMPUTE)  # dL/dx_{t+1}
    if state is not None:
        V = tl.load(state + chunk * M + m, mask=inside, other=0)
        X = tl.load(state + (tl.num_programs(1).to(tl.int64) + chunk) * M + m, mask=inside, other=0)
    for back in tl.range(0, end - first, num_stages=STAGES):
        at = (end - 1 - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        y_t = tl.load(y + at, mask=inside, other=0)
        V = _to_membrane(g_t, y_t, tl.full([], tau, COMPUTE), GUMBEL, AUTHORS) + b * V
        X = c * V + a * X
        tl.store(dx + at, X.to(dx.dtype.element_ty), mask=inside)
