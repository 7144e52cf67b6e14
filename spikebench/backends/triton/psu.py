"""PSU fused: both filters, the probability and the spike in one pass over time, or as scans over chunks."""

from typing import TYPE_CHECKING, Any, Literal

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikebench.backend import Refused, constant, only
from spikebench.backends.triton import _launch, _operator
from spikebench.backends.triton._scan import carry
from spikebench.backends.triton._surrogate import derivative, logistic
from spikebench.neurons.psu import PSU

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 2), "train": (4, 4)}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return (
        only(case, learn_slope=(False,))
        or _not_scan(case.options["form"])
        or _launch.no_bytes(case)
        or _launch.refusal(case)
    )


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


@_operator.traceable
def run(
    neuron: PSU,
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
    if reason := _not_scan(neuron.form):
        raise Refused(reason)
    how = {"chunk": chunk, "block": block, "warps": warps, "stages": stages}
    learns = torch.is_grad_enabled() and x.requires_grad
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if learns:
        return _PSU.apply(x, neuron, how)  # pyright: ignore[reportReturnType]  # untyped in torch
    flat = _launch.series(x)
    s = torch.empty_like(flat, dtype=dtype)
    _forward(neuron, flat, s, None, None, how)
    return s.view(x.shape)


def _not_scan(form: str) -> str | None:
    return None if form == "scan" else f"the kernels compute form=scan; form={form} is a product of dense matrices"


def _forward(neuron: PSU, x: Tensor, s: Tensor, z: Tensor | None, v: Tensor | None, how: dict[str, Any]) -> None:
    """Spikes into s [T, M]; the membranes without and with reset into z and v."""
    shape = _launch.fitted(x.shape[1], x.element_size(), 1, how)
    length = _launch.steps_per_chunk(x, how["chunk"])
    grid = (triton.cdiv(x.shape[1], shape.block), triton.cdiv(x.shape[0], length))
    common = {"x": x, "L": length, **_constants(neuron), **_launch.sizes(x, shape)}

    def entering(membrane: Tensor | None) -> Tensor:
        ends = x.new_empty(grid[1], x.shape[1], dtype=_launch.wide(x.dtype))
        parts = {"s": None, "z": None, "v": None, "membrane": membrane, "reset": None, "ends": ends}
        _launch.launch(forward_kernel, grid, shape.warps, x, **common, **parts)
        return carry(ends, None, (neuron.decay**length, 0.0, 0.0), reverse=False)

    # the membrane first: the reset's filter sees it through the logistic function
    membrane = entering(None) if grid[1] > 1 else None
    reset = None if membrane is None else entering(membrane)
    parts = {"s": s, "z": z, "v": v, "membrane": membrane, "reset": reset, "ends": None}
    _launch.launch(forward_kernel, grid, shape.warps, x, **common, **parts)


def _constants(neuron: PSU) -> dict[str, float]:
    return {"decay": neuron.decay, "rest": neuron.gain, "threshold": float(neuron.threshold)}


class _PSU(_operator.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: PSU, how: dict[str, Any]) -> Tensor:
        flat = _launch.series(x)
        z, v = (torch.empty_like(flat, dtype=_launch.wide(x.dtype)) for _ in range(2))
        s = torch.empty_like(flat)
        _forward(neuron, flat, s, z, v, how)
        ctx.save_for_backward(z, v)
        ctx.neuron, ctx.how = neuron, how
        return s.view(x.shape)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]  # as torch has it
        z, v = ctx.saved_tensors
        neuron: PSU = ctx.neuron
        g = grad.reshape(z.shape).contiguous()
        shape = _launch.fitted(g.shape[1], z.element_size(), 3, ctx.how)
        length = _launch.steps_per_chunk(g, ctx.how["chunk"])
        grid = (triton.cdiv(g.shape[1], shape.block), triton.cdiv(g.shape[0], length))
        kind = {"slope": constant(neuron.slope, "slope"), "SURROGATE": neuron.surrogate, "L": length}
        common = {"g": g, "z": z, "v": v, **kind, **_constants(neuron), **_launch.sizes(g, shape)}
        state = None
        if grid[1] > 1:
            ends = z.new_empty(3, grid[1], g.shape[1])
            _launch.launch(backward_kernel, grid, shape.warps, g, **common, dx=None, state=ends, ENDS=True)
            fade = neuron.decay**length
            state = carry(ends[0], ends[1], (fade, ends[2], fade), reverse=True)
        dx = torch.empty_like(g)
        _launch.launch(backward_kernel, grid, shape.warps, g, **common, dx=dx, state=state, ENDS=False)
        return dx.view(grad.shape), None, None


@triton.jit(do_not_specialize=["T", "L"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M], or None: only the ends are wanted
    z,  # [T, M], or None: do not save
    v,  # [T, M], or None: do not save
    membrane,  # [1, chunks, M] entering z, or None: zero
    reset,  # [1, chunks, M] entering r, or None: zero
    ends,  # [chunks, M]: the last z where no z enters, else the last r; or None
    T: "i64",
    L: "i64",
    M,
    decay: "fp64",
    rest: "fp64",
    threshold: "fp64",
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
    end = tl.minimum(first + L, T)
    z_t = tl.zeros([BLOCK], COMPUTE)
    r_t = tl.zeros([BLOCK], COMPUTE)  # what is left of earlier probabilities
    if membrane is not None:
        z_t = tl.load(membrane + chunk * M + m, mask=inside, other=0)
    if reset is not None:
        r_t = tl.load(reset + chunk * M + m, mask=inside, other=0)
    for t in tl.range(first, end, num_stages=STAGES):
        at = t * M + m
        z_t = d * z_t + c * tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        if s is not None:
            v_t = z_t - th * r_t
            tl.store(s + at, (v_t >= th).to(COMPUTE).to(s.dtype.element_ty), mask=inside)
            if z is not None:
                tl.store(z + at, z_t, mask=inside)
                tl.store(v + at, v_t, mask=inside)
        if s is not None or membrane is not None:
            r_t = d * (r_t + logistic(z_t))
    if ends is not None:
        tl.store(ends + chunk * M + m, z_t if membrane is None else r_t, mask=inside)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    z,  # [T, M]
    v,  # [T, M]
    dx,  # [T, M], or None
    state,  # [3, chunks, M] written if ENDS, [2, chunks, M] read if not, or None: one chunk
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
    chunks = tl.num_programs(1).to(tl.int64)
    first = chunk * L
    last = tl.minimum(first + L, T) - 1
    at_chunk = chunk * M + m
    E = tl.zeros([BLOCK], COMPUTE)  # Σ over later steps of decay^(lag)·dL/dv
    Z = tl.zeros([BLOCK], COMPUTE)  # dL/dz_{t+1}
    if ENDS:
        E1 = tl.full([BLOCK], 1, COMPUTE)  # the same for E = 1 after the chunk and no g
        Z1 = tl.zeros([BLOCK], COMPUTE)
    elif state is not None:
        E = tl.load(state + at_chunk, mask=inside, other=0)
        Z = tl.load(state + chunks * M + at_chunk, mask=inside, other=0)
    for back in tl.range(0, last + 1 - first, num_stages=STAGES):
        at = (last - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        z_t = tl.load(z + at, mask=inside, other=0)
        v_t = tl.load(v + at, mask=inside, other=0)
        e = g_t * derivative(v_t - th, k, SURROGATE)
        p = logistic(z_t)
        w = th * p * (1 - p)
        Z = e - w * (d * E) + d * Z
        E = e + d * E
        if ENDS:
            Z1 = d * Z1 - w * (d * E1)
            E1 = d * E1
        if dx is not None:
            tl.store(dx + at, (c * Z).to(dx.dtype.element_ty), mask=inside)
    if ENDS:
        tl.store(state + at_chunk, E, mask=inside)
        tl.store(state + chunks * M + at_chunk, Z, mask=inside)
        tl.store(state + 2 * chunks * M + at_chunk, Z1, mask=inside)
