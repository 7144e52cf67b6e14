"""EXODUS fused, on tiles of time: multi-spike forward, and the implicit gradient as one recurrence in reverse or in chunks."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import _adjoint, _launch, _operator, _tile
from spikebench.backends.triton._shapes import Kernel, Shape
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.exodus import Exodus
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (4, 2)}
LATER = ("rows",)
KERNELS = {
    "inference": Kernel(reads=(1, 0), writes=(1, 0), rows=(8, 16, 32)),
    "forward": Kernel(reads=(1, 0), writes=(1, 1), rows=(8, 16, 32)),
    "backward": Kernel(reads=(1, 1), writes=(1, 0), rows=(4, 8, 16, 32), cut=True, tile=32),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return (
        _not_sequential(case.options["backward"])
        or _launch.no_bytes(case)
        or _too_many(case.parsed.all_how["spikes"], case.options["max_spikes"])
        or _launch.refusal(case)
    )


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


@_operator.traceable
def run(
    neuron: Exodus,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    chunk: Natural = 0,
    block: Natural = 0,
    warps: Annotated[int, "[0, 32]"] = 0,
    stages: Natural = 0,
    rows: Natural = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted and max_spikes fits.

    chunk: steps per chunk of the backward pass, which is then a scan over chunks; 0: by size, T: one sequential pass.
    block, warps: series and warps a program. rows: steps of a tile, which is prefetched while the one before is worked on.
    stages: above 1 triton pipelines the loop in so many stages instead. 0 leaves each of them to the size of x.
    """
    asked = _launch.Options(chunk or None, block, warps, stages, rows)
    return fused(neuron, x, spikes, asked, through_reset=True)


def fused(neuron: Exodus, x: Tensor, spikes: str, asked: _launch.Options, through_reset: bool) -> Tensor:
    """Spikes [T, B, N]; the gradient goes through the reset or passes it by."""
    if reason := _not_sequential(neuron.backward):
        raise Refused(reason)
    learns = _launch.learns(x, neuron.parameters())
    dtype = _launch.dtype_of_spikes(x, spikes, learns)
    if reason := _too_many(spikes, neuron.max_spikes):
        raise Refused(reason)
    if learns:
        plain, decay = _constants(neuron)
        how = (neuron.slope, neuron.surrogate, through_reset)
        return _Exodus.apply(x, decay, (plain, how, asked))  # pyright: ignore[reportReturnType]  # untyped in torch
    x = _launch.series(x)
    s = torch.empty_like(x, dtype=dtype)
    _forward(*_constants(neuron), x, s, None, asked)
    return s


def _too_many(spikes: str, max_spikes: int | None) -> str | None:
    """Why single bytes cannot hold the number of spikes of a step, or None."""
    if spikes == "uint8" and (max_spikes is None or max_spikes > 255):
        return f"uint8 holds 255 spikes a step, not max_spikes={max_spikes}"
    return None


def _not_sequential(backward: str) -> str | None:
    if backward == "sequential":
        return None
    return f"backward={backward} is a form of the definition; here the option chunk of the backend"


class _Plain(NamedTuple):
    """Kernel arguments that describe the neuron; a decay that learns is 0 here, and read by its address."""

    decay: float
    rest: float
    threshold: float
    subtract: float
    least: float
    most: float
    synapse: float
    CUT: bool
    SCALED: bool
    SYNAPSE: bool
    EARLY: bool


def _constants(neuron: Exodus) -> tuple[_Plain, Tensor | None]:
    """What describes the neuron, and its decay where that learns."""
    decay = neuron.decay
    plain = _Plain(
        0.0 if isinstance(decay, Tensor) else decay,
        0.0 if isinstance(decay, Tensor) else 1 - decay,
        neuron.threshold,
        neuron.subtract,
        neuron.v_min or 0.0,
        float("inf") if neuron.max_spikes is None else float(neuron.max_spikes),
        neuron.synapse_decay or 0.0,
        neuron.v_min is not None,
        neuron.norm_input,
        neuron.synapse_decay is not None,
        neuron.decay_early,
    )
    return plain, decay if isinstance(decay, Tensor) else None


@_launch.fitted
def _forward_of(dtype: torch.dtype, size: tuple[int, int], shape: Shape, plain: _Plain) -> _launch.Prepared:
    grid = (_launch.cdiv(size[1], shape.block),)
    sizes = _tile.sizes(dtype, size, shape)
    return _launch.Prepared(forward_kernel, grid, shape.warps, **plain._asdict(), **sizes)


def _forward(
    plain: _Plain, decay: Tensor | None, x: Tensor, s: Tensor, u: Tensor | None, asked: _launch.Options
) -> None:
    name = "exodus.inference" if u is None else "exodus.forward"
    _forward_of(name, x, asked, plain)(x, {"x": x, "s": s, "u": u, "decay_at": decay})


@_launch.fitted
def _backward_of(
    dtype: torch.dtype, size: tuple[int, int], shape: Shape, plain: _Plain, how: tuple[float, str, bool], wanted: bool
) -> _adjoint.Backward:
    """how: the surrogate's slope, its name, and whether the gradient goes through the reset; wanted: of the decay."""
    kind = dict(zip(("slope", "SURROGATE", "THROUGH"), how, strict=True))
    given = {**plain._asdict(), **kind}
    return _adjoint.Backward(backward_kernel, (dtype, size), shape, {"decay_sum": wanted}, **given)


class _Exodus(_operator.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        decay: Tensor | None,
        call: tuple[_Plain, tuple[float, str, bool], _launch.Options],
    ) -> Tensor:
        """call: the neuron, its surrogate and the gradient through the reset, and what is asked for."""
        x, (plain, _, asked) = _launch.series(x), call
        s, u = torch.empty_like(x), _launch.like(x, _launch.wide(x.dtype))
        _forward(plain, decay, x, s, u, asked)
        ctx.save_for_backward(u, x if ctx.needs_input_grad[1] and plain.SCALED else None, decay)
        ctx.how = call
        return s

    @staticmethod
    @_operator.once
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        u, x, decay = ctx.saved_tensors
        plain, how, asked = ctx.how
        g = _launch.whole(grad)
        passed = _backward_of("exodus.backward", g, asked, plain, how, ctx.needs_input_grad[1])
        return *passed(g, {"x": x, "u": u, "decay_at": decay}), None


@triton.jit
def _levels(threshold, subtract, least, most, COMPUTE: tl.constexpr):
    """Threshold, what a spike subtracts, the least membrane and the most spikes in the dtype of the computation."""
    th = tl.full([], threshold, COMPUTE)
    drop = tl.full([], subtract, COMPUTE)
    return th, drop, tl.full([], least, COMPUTE), tl.full([], most, COMPUTE)


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
    R: tl.constexpr,
    STAGES: tl.constexpr,
):
    d, c, a = _adjoint.decays(decay_at, decay, rest, synapse, COMPUTE)
    th, drop, low, high = _levels(threshold, subtract, least, most, COMPUTE)
    m, inside, width = _tile.series(M, BLOCK)
    v = tl.zeros([BLOCK], COMPUTE)
    i = tl.zeros([BLOCK], COMPUTE)
    ahead = _tile.load(x, m, _tile.rows(0, 0, T, inside, R), width, R)
    for t in tl.range(0, T, R, num_stages=STAGES):
        at, there = t * width + m, _tile.rows(t, 0, T, inside, R)
        xs, ahead = _tile.turn(
            ahead, x, at, there, at + R * width, _tile.rows(t + R, 0, T, inside, R), width, R, STAGES
        )
        ss = ()
        us = ()
        for r in tl.static_range(R):
            i_t = xs[r].to(COMPUTE)
            if SYNAPSE:
                i = a * (i + i_t) if EARLY else a * i + i_t
                i_t = i
            u_t = d * v + (c * i_t if SCALED else i_t)
            us += (u_t,)
            if CUT:
                u_t = tl.where(u_t < low, low, u_t)
            s_t = _count(u_t, th, high)
            v = u_t - drop * s_t
            ss += (s_t,)
        _tile.store(s, at, there, width, ss, R)
        if u is not None:
            _tile.store(u, at, there, width, us, R)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    u,  # [T, M]
    x,  # [T, M], or None unless the decay scales the input and learns
    dx,  # [T, M], or None: only the ends
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
    R: tl.constexpr,
    STAGES: tl.constexpr,
):
    d, c, a = _adjoint.decays(decay_at, decay, rest, synapse, COMPUTE)
    th, drop, low, high = _levels(threshold, subtract, least, most, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m, inside, width = _tile.series(M, BLOCK)
    chunk, chunks, first, end, t_last = _adjoint.span(T, L, R)
    G, Y, G1, Y1 = _adjoint.entering(state, chunk, chunks, m, width, inside, ENDS, COMPUTE, BLOCK)
    by_decay = tl.zeros([BLOCK], tl.float64)
    at, there = t_last * width + m, _tile.rows(t_last, first, end, inside, R)
    gs_ahead = _tile.load(g, at, there, width, R)
    us_ahead = _tile.load(u, at, there, width, R)
    if x is not None:
        xs_ahead = _tile.load(x, at, there, width, R)
    for back in tl.range(0, end - first, R, num_stages=STAGES):
        t = t_last - back
        at, there = t * width + m, _tile.rows(t, first, end, inside, R)
        before = _tile.rows(t - R, first, end, inside, R)
        gs, gs_ahead = _tile.turn(gs_ahead, g, at, there, at - R * width, before, width, R, STAGES)
        us, us_ahead = _tile.turn(us_ahead, u, at, there, at - R * width, before, width, R, STAGES)
        if x is not None:
            xs, xs_ahead = _tile.turn(xs_ahead, x, at, there, at - R * width, before, width, R, STAGES)
        dxs = ()
        for j in tl.static_range(R):
            u_t = us[R - 1 - j]
            if CUT:
                uncut = u_t > low
                u_t = tl.where(u_t < low, low, u_t)
            if decay_sum is not None:
                by_decay += (G * (u_t - drop * _count(u_t, th, high))).to(tl.float64)
            e = derivative(u_t - th, k, SURROGATE)
            f = d * (1 - drop * e) if THROUGH else tl.zeros_like(e) + d
            e = e * gs[R - 1 - j].to(COMPUTE)
            if CUT:
                e = tl.where(uncut, e, 0 * e)
                f = tl.where(uncut, f, 0 * f)
            G, Y = _adjoint.back(G, Y, e, f, a, SYNAPSE)
            if ENDS:
                G1, Y1 = _adjoint.back(G1, Y1, 0 * e, f, a, SYNAPSE)
            to_x = a * Y if SYNAPSE and EARLY else Y
            if SCALED and decay_sum is not None:
                by_decay -= (to_x * xs[R - 1 - j].to(COMPUTE)).to(tl.float64)
            dxs += (c * to_x if SCALED else to_x,)
        if dx is not None:
            _tile.store(dx, at, there, width, _tile.reverse(dxs, R), R)
    if ENDS:
        _adjoint.leaving(state, chunk, chunks, m, width, inside, G, Y, G1, Y1)
    if decay_sum is not None:
        _adjoint.total(decay_sum, by_decay, chunk, chunks)
