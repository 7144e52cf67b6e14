"""LIF in one kernel forward and one backward, sequential in time; the backward can also run as a scan over chunks."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backend import having, only
from spikebench.backends.triton import _launch
from spikebench.backends.triton._scan import carry
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.lif import LIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
PLAIN: dict[str, tuple[Any, ...]] = {"shared": (True,), "bounded": (False,), "refractory": (0,)}
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (4, 2)}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return only(case, **PLAIN) or _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


def run(
    neuron: LIF,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    chunk: int = 0,
    block: int = 0,
    warps: int = 0,
    stages: int = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted.

    chunk: steps per chunk of the backward pass, which is then a scan over chunks; 0: one sequential pass. block, warps,
    stages: kernel shape; 0: by the number of series.
    """
    how = {"chunk": chunk, "block": block, "warps": warps, "stages": stages}
    having(neuron, **PLAIN)
    decay, threshold = neuron.decay, neuron.threshold
    learns = torch.is_grad_enabled() and (x.requires_grad or any(p.requires_grad for p in neuron.parameters()))
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if learns:
        return _LIF.apply(x, decay, threshold, neuron, how)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x)
    out = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, flat, out, None, how)
    return out.view(x.shape)


def _forward(neuron: LIF, x: Tensor, s: Tensor, u: Tensor | None, how: dict[str, int]) -> None:
    shape = _launch.fitted(x.shape[1], x.element_size(), 1, how)
    grid = (triton.cdiv(x.shape[1], shape.block),)
    _launch.launch(forward_kernel, grid, shape.warps, x, x=x, s=s, u=u, **_constants(neuron), **_launch.sizes(x, shape))


def _constants(neuron: LIF) -> dict[str, Any]:
    """Kernel arguments that describe the neuron: learned scalars by address, plain ones by value."""
    decay, threshold = neuron.decay, neuron.threshold
    return {
        "decay_at": decay if isinstance(decay, Tensor) else None,
        "threshold_at": threshold if isinstance(threshold, Tensor) else None,
        "decay": 0.0 if isinstance(decay, Tensor) else decay,
        "rest": 0.0 if isinstance(decay, Tensor) else 1 - decay,
        "threshold": 0.0 if isinstance(threshold, Tensor) else threshold,
        "synapse": neuron.synapse_decay or 0.0,
        "SYNAPSE": neuron.synapse_decay is not None,
        "SCALED": neuron.input_scale == "1-decay",
        "RESET": neuron.reset,
        "DELAY": neuron.reset_delay,
        "STRICT": neuron.strict,
    }


class _LIF(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, decay: Tensor | float, threshold: Tensor | float, neuron: LIF, how: dict[str, int]
    ) -> Tensor:
        flat = _launch.series(x)
        s, u = torch.empty_like(flat), torch.empty_like(flat, dtype=_launch.wide(x.dtype))
        _forward(neuron, flat, s, u, how)
        scaled = ctx.needs_input_grad[1] and neuron.input_scale == "1-decay"
        ctx.save_for_backward(u, flat if scaled else None, *(p for p in (decay, threshold) if isinstance(p, Tensor)))
        ctx.neuron, ctx.how = neuron, how
        return s.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor | None, Tensor | None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        u, x, *_ = ctx.saved_tensors  # the parameters are saved so that autograd sees them change
        g = grad.reshape(u.shape).contiguous()
        dx, by_decay, by_threshold = _backward(ctx.neuron, g, u, x, ctx.needs_input_grad[1:3], ctx.how)
        return dx.view(grad.shape), by_decay, by_threshold, None, None


def _backward(
    neuron: LIF, g: Tensor, u: Tensor, x: Tensor | None, learned: tuple[bool, bool], how: dict[str, int]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Gradients of the input [T, M], of the decay and of the threshold; x only if the decay scales it and learns."""
    steps, count = g.shape
    shape = _launch.fitted(count, u.element_size(), 2, how)
    length = _launch.steps_per_chunk(g, how["chunk"])
    grid = (triton.cdiv(count, shape.block), triton.cdiv(steps, length))
    kind = {"slope": neuron.slope, "SURROGATE": neuron.surrogate, "DETACH": neuron.detach_reset, "L": length}
    common = {"g": g, "u": u, **_constants(neuron), **kind, **_launch.sizes(g, shape)}
    state = None
    if grid[1] > 1:
        ends = u.new_empty(4, grid[1], count)
        parts = {"x": None, "dx": None, "decay_sum": None, "threshold_sum": None, "state": ends, "ENDS": True}
        _launch.launch(backward_kernel, grid, shape.warps, g, **common, **parts)
        fade = (neuron.synapse_decay or 0.0) ** length
        state = carry(ends[0], ends[1], (ends[2], ends[3], fade), reverse=True)
    dx = torch.empty_like(g)
    sums = [u.new_empty(grid, dtype=torch.float64) if wanted else None for wanted in learned]
    parts = {"x": x, "dx": dx, "decay_sum": sums[0], "threshold_sum": sums[1], "state": state, "ENDS": False}
    _launch.launch(backward_kernel, grid, shape.warps, g, **common, **parts)
    by_decay, by_threshold = (None if s is None else s.sum().to(g.dtype) for s in sums)
    return dx, by_decay, by_threshold


@triton.jit
def _reset(u, s, d, threshold, RESET: tl.constexpr, DELAY: tl.constexpr):
    """The membrane after the reset by spikes s; with a delayed reset already decayed."""
    if RESET == "hard":
        v = u * (1 - s)
    elif RESET == "soft":
        v = (d * u if DELAY else u) - threshold * s
    else:
        v = u
    return v


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M]
    u,  # [T, M], or None: do not save
    decay_at,
    threshold_at,
    T: "i64",
    M,
    decay: "fp64",
    rest: "fp64",
    threshold: "fp64",
    synapse: "fp64",
    SYNAPSE: tl.constexpr,
    SCALED: tl.constexpr,
    RESET: tl.constexpr,
    DELAY: tl.constexpr,
    STRICT: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE) if decay_at is None else tl.load(decay_at).to(COMPUTE)
    c = tl.full([], rest, COMPUTE) if decay_at is None else 1 - d
    th = tl.full([], threshold, COMPUTE) if threshold_at is None else tl.load(threshold_at).to(COMPUTE)
    a = tl.full([], synapse, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    v = tl.zeros([BLOCK], COMPUTE)
    i = tl.zeros([BLOCK], COMPUTE)
    for t in tl.range(0, T, num_stages=STAGES):
        at = t * M + m
        i_t = tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        if SYNAPSE:
            i = a * i + i_t
            i_t = i
        if SCALED:
            i_t = c * i_t
        u_t = (v if DELAY else d * v) + i_t
        s_t = (u_t > th if STRICT else u_t >= th).to(COMPUTE)
        v = _reset(u_t, s_t, d, th, RESET, DELAY)
        tl.store(s + at, s_t.to(s.dtype.element_ty), mask=inside)
        if u is not None:
            tl.store(u + at, u_t, mask=inside)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    u,  # [T, M]
    x,  # [T, M], or None unless the decay scales the input and learns
    dx,  # [T, M]
    state,  # [4, chunks, M] written if ENDS, [2, chunks, M] read if not, or None: one chunk
    decay_sum,  # [programs, chunks], or None: the decay does not learn
    threshold_sum,
    decay_at,
    threshold_at,
    T: "i64",
    L: "i64",
    M,
    decay: "fp64",
    rest: "fp64",
    threshold: "fp64",
    synapse: "fp64",
    slope: "fp64",
    SYNAPSE: tl.constexpr,
    SCALED: tl.constexpr,
    RESET: tl.constexpr,
    DELAY: tl.constexpr,
    STRICT: tl.constexpr,
    SURROGATE: tl.constexpr,
    DETACH: tl.constexpr,
    ENDS: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    d = tl.full([], decay, COMPUTE) if decay_at is None else tl.load(decay_at).to(COMPUTE)
    c = tl.full([], rest, COMPUTE) if decay_at is None else 1 - d
    th = tl.full([], threshold, COMPUTE) if threshold_at is None else tl.load(threshold_at).to(COMPUTE)
    a = tl.full([], synapse, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    chunk = tl.program_id(1).to(tl.int64)
    chunks = tl.num_programs(1).to(tl.int64)
    first = chunk * L
    last = tl.minimum(first + L, T) - 1
    at_chunk = chunk * M + m
    G = tl.zeros([BLOCK], COMPUTE)  # dL/du_{t+1}
    Y = tl.zeros([BLOCK], COMPUTE)  # dL/di_{t+1} before the input scale
    if ENDS:
        G1 = tl.full([BLOCK], 1, COMPUTE)  # the same for dL/du_{t+1} = 1 after the chunk and no g
        Y1 = tl.zeros([BLOCK], COMPUTE)
    elif state is not None:
        G = tl.load(state + at_chunk, mask=inside, other=0)
        Y = tl.load(state + chunks * M + at_chunk, mask=inside, other=0)
    by_decay = tl.zeros([BLOCK], tl.float64)
    by_threshold = tl.zeros([BLOCK], tl.float64)
    for back in tl.range(0, last + 1 - first, num_stages=STAGES):
        at = (last - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        u_t = tl.load(u + at, mask=inside, other=0)
        e = derivative(u_t - th, k, SURROGATE)
        s_t = (u_t > th if STRICT else u_t >= th).to(COMPUTE)
        W = G if DELAY else d * G  # dL/dv_t
        if decay_sum is not None:
            by_decay += (G * (u_t if DELAY else _reset(u_t, s_t, d, th, RESET, DELAY))).to(tl.float64)
        ds = g_t  # dL/ds_t
        if RESET == "soft" and not DETACH:
            ds = g_t - th * W
        elif RESET == "hard" and not DETACH:
            ds = g_t - u_t * W
        if threshold_sum is not None:
            by_threshold -= (e * ds + (s_t * W if RESET == "soft" else 0 * W)).to(tl.float64)
        keep = d if DELAY else 1 - s_t if RESET == "hard" else tl.full([BLOCK], 1, COMPUTE)  # ∂v_t/∂u_t at fixed s_t
        if ENDS:
            W1 = G1 if DELAY else d * G1
            if not DETACH and RESET != "none":
                keep1 = keep - e * (th if RESET == "soft" else u_t)
            else:
                keep1 = keep
            G1 = keep1 * W1
            if SYNAPSE:
                Y1 = G1 + a * Y1
        G = e * ds + keep * W
        Y = G + a * Y if SYNAPSE else G
        if x is not None and decay_sum is not None:
            by_decay -= (Y * tl.load(x + at, mask=inside, other=0).to(COMPUTE)).to(tl.float64)
        if dx is not None:
            tl.store(dx + at, (c * Y if SCALED else Y).to(dx.dtype.element_ty), mask=inside)
    if ENDS:
        tl.store(state + at_chunk, G, mask=inside)
        tl.store(state + chunks * M + at_chunk, Y, mask=inside)
        tl.store(state + 2 * chunks * M + at_chunk, G1, mask=inside)
        tl.store(state + 3 * chunks * M + at_chunk, Y1 if SYNAPSE else G1, mask=inside)
    at_sum = tl.program_id(0).to(tl.int64) * chunks + chunk
    if decay_sum is not None:
        tl.store(decay_sum + at_sum, tl.sum(by_decay, axis=0))
    if threshold_sum is not None:
        tl.store(threshold_sum + at_sum, tl.sum(by_threshold, axis=0))
