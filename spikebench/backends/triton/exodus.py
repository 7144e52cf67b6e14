"""EXODUS fused: multi-spike forward, and the implicit gradient as one recurrence in reverse or a scan over chunks."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backend import Refused
from spikebench.backends.triton import _launch
from spikebench.backends.triton._scan import carry
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.exodus import Exodus

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (4, 2)}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    if case.options["backward"] != "sequential":
        return f"backward={case.options['backward']} is a form of the definition; here the option chunk of the backend"
    if case.parsed.all_how["spikes"] == "uint8" and (reason := _no_bytes(case.mode, case.options["max_spikes"])):
        return reason
    return _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


def run(
    neuron: Exodus,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    chunk: int = 0,
    block: int = 0,
    warps: int = 0,
    stages: int = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted and max_spikes fits.

    chunk: steps per chunk of the backward pass, which is then a scan over chunks; 0: one sequential pass. block, warps,
    stages: kernel shape; 0: by the number of series.
    """
    how = {"chunk": chunk, "block": block, "warps": warps, "stages": stages}
    return fused(neuron, x, spikes, how, through_reset=True)


def fused(neuron: Exodus, x: Tensor, spikes: str, how: dict[str, int], through_reset: bool) -> Tensor:
    """Spikes [T, B, N]; the gradient goes through the reset or passes it by."""
    if neuron.backward != "sequential":
        raise Refused(f"backward={neuron.backward} is a form of the definition; here the option chunk of the backend")
    wanted = torch.is_grad_enabled() and (x.requires_grad or any(p.requires_grad for p in neuron.parameters()))
    if spikes == "uint8" and (reason := _no_bytes("train" if wanted else "inference", neuron.max_spikes)):
        raise Refused(reason)
    if wanted:
        return _Exodus.apply(x, neuron.decay, neuron, how, through_reset)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x)
    out = torch.empty_like(flat, dtype=torch.uint8 if spikes == "uint8" else x.dtype)
    _forward(neuron, flat, out, None, how)
    return out.view(x.shape)


def _no_bytes(mode: str, max_spikes: int | None) -> str | None:
    """Why spikes cannot be uint8, or None."""
    if mode != "inference":
        return "uint8 spikes carry no gradient; they go with mode inference"
    if max_spikes is None or max_spikes > 255:
        return f"uint8 holds 255 spikes a step, not max_spikes={max_spikes}"
    return None


def _forward(neuron: Exodus, x: Tensor, s: Tensor, u: Tensor | None, how: dict[str, int]) -> None:
    shape = _launch.fitted(x.shape[1], x.element_size(), 1, how)
    grid = (triton.cdiv(x.shape[1], shape.block),)
    _launch.launch(forward_kernel, grid, shape.warps, x, x=x, s=s, u=u, **_constants(neuron), **_launch.sizes(x, shape))


def _constants(neuron: Exodus) -> dict[str, Any]:
    """Kernel arguments that describe the neuron: a learned decay by address, plain numbers by value."""
    decay = neuron.decay
    return {
        "decay_at": decay if isinstance(decay, Tensor) else None,
        "decay": 0.0 if isinstance(decay, Tensor) else decay,
        "rest": 0.0 if isinstance(decay, Tensor) else 1 - decay,
        "threshold": neuron.threshold,
        "subtract": neuron.subtract,
        "least": neuron.v_min or 0.0,
        "most": float("inf") if neuron.max_spikes is None else float(neuron.max_spikes),
        "synapse": neuron.synapse_decay or 0.0,
        "CUT": neuron.v_min is not None,
        "SCALED": neuron.norm_input,
        "SYNAPSE": neuron.synapse_decay is not None,
        "EARLY": neuron.decay_early,
    }


class _Exodus(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, decay: Tensor | float, neuron: Exodus, how: dict[str, int], through_reset: bool
    ) -> Tensor:
        flat = _launch.series(x)
        s, u = torch.empty_like(flat), torch.empty_like(flat, dtype=_launch.wide(x.dtype))
        _forward(neuron, flat, s, u, how)
        scaled = ctx.needs_input_grad[1] and neuron.norm_input
        ctx.save_for_backward(u, flat if scaled else None, *([decay] if isinstance(decay, Tensor) else []))
        ctx.neuron, ctx.how, ctx.through_reset = neuron, how, through_reset
        return s.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        u, x, *_ = ctx.saved_tensors
        g = grad.reshape(u.shape).contiguous()
        dx, by_decay = _backward(ctx.neuron, g, u, x, ctx.needs_input_grad[1], ctx.how, ctx.through_reset)
        return dx.view(grad.shape), by_decay, None, None, None


def _backward(
    neuron: Exodus, g: Tensor, u: Tensor, x: Tensor | None, learned: bool, how: dict[str, int], through_reset: bool
) -> tuple[Tensor, Tensor | None]:
    """Gradients of the input [T, M] and of the decay; x only if the decay scales it and learns."""
    steps, count = g.shape
    shape = _launch.fitted(count, u.element_size(), 2, how)
    length = _launch.steps_per_chunk(g, how["chunk"])
    grid = (triton.cdiv(count, shape.block), triton.cdiv(steps, length))
    kind = {"slope": neuron.slope, "SURROGATE": neuron.surrogate, "THROUGH": through_reset, "L": length}
    common = {"g": g, "u": u, **_constants(neuron), **kind, **_launch.sizes(g, shape)}
    state = None
    if grid[1] > 1:
        ends = u.new_empty(4, grid[1], count)
        parts = {"x": None, "dx": None, "decay_sum": None, "state": ends, "ENDS": True}
        _launch.launch(backward_kernel, grid, shape.warps, g, **common, **parts)
        fade = (neuron.synapse_decay or 0.0) ** length
        state = carry(ends[0], ends[1], (ends[2], ends[3], fade), reverse=True)
    dx = torch.empty_like(g)
    total = u.new_empty(grid, dtype=torch.float64) if learned else None
    parts = {"x": x, "dx": dx, "decay_sum": total, "state": state, "ENDS": False}
    _launch.launch(backward_kernel, grid, shape.warps, g, **common, **parts)
    return dx, None if total is None else total.sum().to(g.dtype)


@triton.jit
def _count(u, threshold, most):
    """Spikes at membrane u; the quotient is rounded as IEEE division rounds it."""
    if u.dtype == tl.float32:
        whole = tl.floor(tl.math.div_rn(u, tl.zeros_like(u) + threshold))
    else:
        whole = tl.floor(u / threshold)
    whole = tl.minimum(tl.where(whole < 1, 1, whole), most)
    return tl.where(u >= threshold, whole, 0)


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M]
    u,  # [T, M] before it is cut at v_min, or None: do not save
    decay_at,
    T: "i64",
    M,
    decay: "fp64",
    rest: "fp64",
    threshold: "fp64",
    subtract: "fp64",
    least: "fp64",
    most: "fp64",
    synapse: "fp64",
    CUT: tl.constexpr,
    SCALED: tl.constexpr,
    SYNAPSE: tl.constexpr,
    EARLY: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE) if decay_at is None else tl.load(decay_at).to(COMPUTE)
    c = tl.full([], rest, COMPUTE) if decay_at is None else 1 - d
    th = tl.full([], threshold, COMPUTE)
    drop = tl.full([], subtract, COMPUTE)
    low = tl.full([], least, COMPUTE)
    high = tl.full([], most, COMPUTE)
    a = tl.full([], synapse, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    v = tl.zeros([BLOCK], COMPUTE)
    i = tl.zeros([BLOCK], COMPUTE)
    for t in tl.range(0, T, num_stages=STAGES):
        at = t * M + m
        i_t = tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        if SYNAPSE:
            i = a * (i + i_t) if EARLY else a * i + i_t
            i_t = i
        if SCALED:
            i_t = c * i_t
        u_t = d * v + i_t
        if u is not None:
            tl.store(u + at, u_t, mask=inside)
        if CUT:
            u_t = tl.where(u_t < low, low, u_t)
        s_t = _count(u_t, th, high)
        v = u_t - drop * s_t
        tl.store(s + at, s_t.to(s.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    u,  # [T, M]
    x,  # [T, M], or None unless the decay scales the input and learns
    dx,  # [T, M]
    state,  # [4, chunks, M] written if ENDS, [2, chunks, M] read if not, or None: one chunk
    decay_sum,  # [programs, chunks], or None: the decay does not learn
    decay_at,
    T: "i64",
    L: "i64",
    M,
    decay: "fp64",
    rest: "fp64",
    threshold: "fp64",
    subtract: "fp64",
    least: "fp64",
    most: "fp64",
    synapse: "fp64",
    slope: "fp64",
    CUT: tl.constexpr,
    SCALED: tl.constexpr,
    SYNAPSE: tl.constexpr,
    EARLY: tl.constexpr,
    SURROGATE: tl.constexpr,
    THROUGH: tl.constexpr,
    ENDS: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE) if decay_at is None else tl.load(decay_at).to(COMPUTE)
    c = tl.full([], rest, COMPUTE) if decay_at is None else 1 - d
    th = tl.full([], threshold, COMPUTE)
    drop = tl.full([], subtract, COMPUTE)
    low = tl.full([], least, COMPUTE)
    high = tl.full([], most, COMPUTE)
    a = tl.full([], synapse, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    chunk = tl.program_id(1).to(tl.int64)
    chunks = tl.num_programs(1).to(tl.int64)
    first = chunk * L
    last = tl.minimum(first + L, T) - 1
    at_chunk = chunk * M + m
    G = tl.zeros([BLOCK], COMPUTE)  # dL/du_{t+1} before the cut
    Y = tl.zeros([BLOCK], COMPUTE)  # dL/di_{t+1} before the input scale
    if ENDS:
        G1 = tl.full([BLOCK], 1, COMPUTE)  # the same for dL/du_{t+1} = 1 after the chunk and no g
        Y1 = tl.zeros([BLOCK], COMPUTE)
    elif state is not None:
        G = tl.load(state + at_chunk, mask=inside, other=0)
        Y = tl.load(state + chunks * M + at_chunk, mask=inside, other=0)
    by_decay = tl.zeros([BLOCK], tl.float64)
    for back in tl.range(0, last + 1 - first, num_stages=STAGES):
        at = (last - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        u_t = tl.load(u + at, mask=inside, other=0)
        if CUT:
            kept = (u_t > low).to(COMPUTE)
            u_t = tl.where(u_t < low, low, u_t)
        if decay_sum is not None:
            by_decay += (G * (u_t - drop * _count(u_t, th, high))).to(tl.float64)
        e = derivative(u_t - th, k, SURROGATE)
        keep = d * (1 - drop * e) if THROUGH else tl.zeros_like(e) + d
        e = g_t * e
        if CUT:
            e = kept * e
            keep = kept * keep
        G = e + keep * G
        Y = G + a * Y if SYNAPSE else G
        if ENDS:
            G1 = keep * G1
            Y1 = G1 + a * Y1 if SYNAPSE else G1
        to_x = a * Y if SYNAPSE and EARLY else Y
        if x is not None and decay_sum is not None:
            by_decay -= (to_x * tl.load(x + at, mask=inside, other=0).to(COMPUTE)).to(tl.float64)
        if dx is not None:
            tl.store(dx + at, (c * to_x if SCALED else to_x).to(dx.dtype.element_ty), mask=inside)
    if ENDS:
        tl.store(state + at_chunk, G, mask=inside)
        tl.store(state + chunks * M + at_chunk, Y, mask=inside)
        tl.store(state + 2 * chunks * M + at_chunk, G1, mask=inside)
        tl.store(state + 3 * chunks * M + at_chunk, Y1, mask=inside)
    if decay_sum is not None:
        at_sum = tl.program_id(0).to(tl.int64) * chunks + chunk
        tl.store(decay_sum + at_sum, tl.sum(by_decay, axis=0))
