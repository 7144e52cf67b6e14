"""ParaLIF fused: both filters, the normalisation and the spikes in one pass, its gradient in one pass back."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backend import Refused
from spikebench.backends.triton import _launch
from spikebench.backends.triton._surrogate import derivative, logistic
from spikebench.neurons.para_lif import ParaLIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (4, 2)}
LEARNING = ("recurrent", "learn_tau", "learn_threshold", "heterogeneous")
BEYOND = f"the triton backend has no kernel with {', '.join(LEARNING)}; take eager, scan or fft"


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    if any(case.options[name] for name in LEARNING):
        return BEYOND
    return _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


def run(
    neuron: ParaLIF,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    block: int = 0,
    warps: int = 0,
    stages: int = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted; block, warps, stages as in lif."""
    if not neuron.plain:
        raise Refused(BEYOND)
    how = {"block": block, "warps": warps, "stages": stages}
    learns = torch.is_grad_enabled() and x.requires_grad
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if learns:
        return _ParaLIF.apply(x, neuron, how)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x)
    s = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, flat, s, None, how)
    return s.view(x.shape)


def _kind(neuron: ParaLIF) -> dict[str, Any]:
    syn, mem = neuron.decays()
    numbers = {"syn": syn, "mem": mem, "rest": 1 - mem, "threshold": neuron.threshold}
    return {**numbers, "NORM": neuron.mode[:-1], "DELTA": neuron.mode.endswith("d")}


def _forward(neuron: ParaLIF, x: Tensor, s: Tensor, v: Tensor | None, how: dict[str, Any]) -> None:
    shape = _launch.fitted(x.shape[1], x.element_size(), 1, how)
    grid, sizes = (triton.cdiv(x.shape[1], shape.block),), _launch.sizes(x, shape)
    _launch.launch(forward_kernel, grid, shape.warps, x, x=x, s=s, v=v, **_kind(neuron), **sizes)


class _ParaLIF(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: ParaLIF, how: dict[str, Any]) -> Tensor:
        flat = _launch.series(x)
        s, v = torch.empty_like(flat), torch.empty_like(flat, dtype=_launch.wide(x.dtype))
        _forward(neuron, flat, s, v, how)
        ctx.save_for_backward(v)
        ctx.neuron, ctx.how = neuron, how
        return s.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        (v,) = ctx.saved_tensors
        neuron: ParaLIF = ctx.neuron
        g = grad.reshape(v.shape).contiguous()
        dx, shape = torch.empty_like(g), _launch.fitted(g.shape[1], v.element_size(), 2, ctx.how)
        kind = {**_kind(neuron), "slope": neuron.slope, "SURROGATE": neuron.surrogate}
        grid, sizes = (triton.cdiv(g.shape[1], shape.block),), _launch.sizes(g, shape)
        _launch.launch(backward_kernel, grid, shape.warps, g, g=g, v=v, dx=dx, **kind, **sizes)
        return dx.view(grad.shape), None, None


@triton.jit
def _normalised(v, NORM: tl.constexpr):
    if NORM == "s":
        return logistic(v)
    elif NORM == "t":
        return 2 * logistic(2 * v) - 1
    elif NORM == "tr":
        m = 2 * logistic(2 * v) - 1
        return tl.where(m < 0, 0, m)
    else:
        tl.static_assert(NORM == "", "no such mode")
        return v


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M]
    v,  # [T, M], or None: do not save
    T: "i64",
    M,
    syn: "fp64",
    mem: "fp64",
    rest: "fp64",
    threshold: "fp64",
    NORM: tl.constexpr,
    DELTA: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    a = tl.full([], syn, COMPUTE)
    b = tl.full([], mem, COMPUTE)
    c = tl.full([], rest, COMPUTE)
    th = tl.full([], threshold, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    i = tl.zeros([BLOCK], COMPUTE)
    v_t = tl.zeros([BLOCK], COMPUTE)
    before = tl.zeros([BLOCK], COMPUTE)
    for t in tl.range(0, T, num_stages=STAGES):
        at = t * M + m
        i = a * i + tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        v_t = b * v_t + c * i
        now = _normalised(v_t, NORM)
        level = now
        if DELTA:
            level = now - before
            before = now
        tl.store(s + at, (level > th).to(COMPUTE).to(s.dtype.element_ty), mask=inside)
        if v is not None:
            tl.store(v + at, v_t, mask=inside)


@triton.jit(do_not_specialize=["T"])
def backward_kernel(
    g,  # [T, M]
    v,  # [T, M]
    dx,  # [T, M]
    T: "i64",
    M,
    syn: "fp64",
    mem: "fp64",
    rest: "fp64",
    threshold: "fp64",
    slope: "fp64",
    NORM: tl.constexpr,
    DELTA: tl.constexpr,
    SURROGATE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    a = tl.full([], syn, COMPUTE)
    b = tl.full([], mem, COMPUTE)
    c = tl.full([], rest, COMPUTE)
    th = tl.full([], threshold, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    V = tl.zeros([BLOCK], COMPUTE)  # dL/dv_{t+1}
    X = tl.zeros([BLOCK], COMPUTE)  # dL/dx_{t+1}
    later = tl.zeros([BLOCK], COMPUTE)  # the gradient by the next step's difference
    for back in tl.range(0, T, num_stages=STAGES):
        t = T - 1 - back
        at = t * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        v_t = tl.load(v + at, mask=inside, other=0)
        now = _normalised(v_t, NORM)
        if DELTA:
            earlier = _normalised(tl.load(v + at - M, mask=inside & (t > 0), other=0), NORM)
            e = g_t * derivative(now - tl.where(t > 0, earlier, 0) - th, k, SURROGATE)
            E = e - later
            later = e
        else:
            E = g_t * derivative(now - th, k, SURROGATE)
        if NORM == "s":
            E = E * (now * (1 - now))
        elif NORM == "t":
            E = E * (1 - now * now)
        elif NORM == "tr":
            E = tl.where(v_t > 0, E * (1 - now * now), 0)
        V = E + b * V
        X = c * V + a * X
        tl.store(dx + at, X.to(dx.dtype.element_ty), mask=inside)
