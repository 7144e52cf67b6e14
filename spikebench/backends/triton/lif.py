"""LIF in one kernel forward and one backward, on tiles of time; the backward can also run as a scan over chunks."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused, having, only
from spikebench.backends.triton import _adjoint, _bits, _launch, _operator, _tile
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._shapes import Kernel, Shape
from spikebench.backends.triton._surrogate import derivative
from spikebench.neurons.lif import LIF
from spikebench.numerics.bits import BITS
from spikebench.units import Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

LATER = ("rows", "save")
# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (4, 2)}
CHECKPOINTED = {"inference": (2, 0), "forward": (2, 0), "train": (5, 0)}  # besides what is kept of each tile
CAN: dict[str, tuple[Any, ...]] = {"shared": (True,), "bounded": (False,), "refractory": (0,)}
Save = Literal["membrane", "checkpoints"]


class _Kept(NamedTuple):
    """What the forward pass leaves for the backward pass: u [T, M], or a tile's first states and its spikes as bits."""

    u: Tensor | None = None
    states: Tensor | None = None
    bits: Tensor | None = None


def _every(dtype: torch.dtype, count: int) -> int:
    """Time steps from one checkpoint to the next unless `rows` says it."""
    return 32 if count <= 1 << 14 and dtype.itemsize < 8 else 16


def _kept_every(kernel: Kernel) -> Kernel:
    """A kernel whose tiles are those that checkpoints stand between."""

    def candidates(dtype: torch.dtype, steps: int, count: int) -> tuple[Shape, ...]:
        return replace(kernel, rows=(_every(dtype, count),)).shapes(dtype, steps, count)

    return replace(kernel, candidates=candidates)


KERNELS = {
    "inference": Kernel(reads=(1, 0), writes=(1, 0), rows=(8, 16, 32)),
    "forward": Kernel(reads=(1, 0), writes=(1, 1), rows=(8, 16, 32)),
    "inference.bits": Kernel(reads=(1, 0), writes=(0, 0), rows=(8, 16, 32)),
    "forward.bits": Kernel(reads=(1, 0), writes=(0, 1), rows=(8, 16, 32)),
    "backward": Kernel(reads=(1, 1), writes=(1, 0), rows=(4, 8, 16, 32), cut=True, tile=32),
    "backward.scaled": Kernel(reads=(2, 1), writes=(1, 0), rows=(4, 8, 16), work=1.5, cut=True, tile=16),
    "forward.checkpoints": _kept_every(Kernel(reads=(1, 0), writes=(1, 0))),
    "backward.checkpoints": _kept_every(Kernel(reads=(2, 0), writes=(1, 0), work=2, cut=True, tile=32)),
}


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    return only(case, **CAN) or _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    how = case.parsed.all_how
    if how["save"] == "membrane":
        return _launch.moved(case, MOVES)
    dtype, passes = getattr(torch, case.dtype), {"inference": 0, "forward": 1, "train": 2}[case.mode]
    rows = _rows_kept(dtype, case.B * case.N, how["rows"], how["chunk"])
    states = (1 if case.options["synapse_decay"] is None else 2) * _launch.wide(dtype).itemsize
    words = _word(rows).itemsize * (
        passes - (passes > 0 and _shared(how["spikes"] == "bits", rows))
    )  # what is sent is kept, too
    return _launch.moved(case, CHECKPOINTED) + (passes * states + words) * -(-case.T // rows) * case.B * case.N


@_operator.traceable
def run(
    neuron: LIF,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Spikes = "same",
    chunk: Natural = 0,
    block: Natural = 0,
    warps: Annotated[int, "[0, 32]"] = 0,
    stages: Natural = 0,
    rows: Natural = 0,
    save: Save = "membrane",
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, uint8 where no gradient is wanted, or bits, which a Linear after it reads.

    chunk: steps per chunk of the backward pass, which is then a scan over chunks; 0: by size, T: one sequential pass.
    block, warps: series and warps a program. rows: steps of a tile, which is prefetched while the one before is worked on.
    stages: above 1 triton pipelines the loop in so many stages instead. 0 leaves each of them to the size of x.
    save: what the backward pass starts from: every membrane, or the one before each tile and the spikes as bits, from
    which it recomputes the tile.
    """
    asked = _launch.Options(chunk or None, block, warps, stages, rows)
    having(neuron, **CAN)
    learns = _launch.learns(x, neuron.parameters())
    dtype = _launch.sent_as(x, spikes, learns)
    if learns:
        plain, decay, threshold = _constants(neuron)
        how = (neuron.slope, neuron.surrogate, neuron.detach_reset)
        return _LIF.apply(x, decay, threshold, (plain, how, asked, save, dtype))  # pyright: ignore[reportReturnType]  # untyped in torch
    x = _launch.series(x)
    sent = _bits.Sent.of(x, dtype)
    _forward(_constants(neuron), x, sent, _Kept(), asked)
    return sent.given(x)


def _rows_kept(dtype: torch.dtype, count: int, asked: int, chunk: int | None) -> int:
    """Time steps from one checkpoint to the next: a tile, which divides a chunk that is asked for; at most 32 bits."""
    rows = asked or _every(dtype, count)
    if rows > 32:
        raise Refused(f"rows={rows}: the spikes of a tile are kept as one word of at most 32 bits; take rows=32")
    return _adjoint.cut(1 << 62, chunk or 0, rows)[1]


def _word(rows: int) -> torch.dtype:
    """The dtype that holds a tile's spikes as bits."""
    return torch.uint8 if rows <= 8 else torch.int16 if rows <= 16 else torch.int32


def _shared(sends_bits: bool, rows: int) -> bool:
    """Whether the words that are sent are those that are kept: a tile has as many steps as a word."""
    return sends_bits and rows == BITS


def _checkpoints(plain: "_Plain", x: Tensor, rows: int, words: Tensor | None) -> _Kept:
    """Tensors for what is kept of every tile of `rows` steps; `words`: of the spikes that are sent."""
    steps, count = _launch.size(x)
    tiles = (_launch.cdiv(steps, rows), count)
    states = x.new_empty(2 if plain.SYNAPSE else 1, *tiles, dtype=_launch.wide(x.dtype))
    shared = _shared(words is not None, rows)
    return _Kept(states=states, bits=words if shared else x.new_empty(tiles, dtype=_word(rows)))


class _Plain(NamedTuple):
    """Kernel arguments that describe the neuron; what learns is 0 here, and read by its address."""

    decay: float
    rest: float
    threshold: float
    synapse: float
    SYNAPSE: bool
    SCALED: bool
    RESET: str
    DELAY: bool
    STRICT: bool


_Constants = tuple[_Plain, Tensor | None, Tensor | None]


def _constants(neuron: LIF) -> _Constants:
    """What describes the neuron, and its decay and threshold where they learn."""
    decay, threshold, synapse = neuron.decay, neuron.threshold, neuron.synapse_decay
    decay_at = threshold_at = None
    if isinstance(decay, Tensor):
        decay_at, decay, rest = decay, 0.0, 0.0
    else:
        rest = 1 - decay
    if isinstance(threshold, Tensor):
        threshold_at, threshold = threshold, 0.0
    plain = _Plain(
        decay,
        rest,
        threshold,
        synapse or 0.0,
        synapse is not None,
        neuron.input_scale == "1-decay",
        neuron.reset,
        neuron.reset_delay,
        neuron.strict,
    )
    return plain, decay_at, threshold_at


@_launch.fitted
def _forward_of(dtype: torch.dtype, size: tuple[int, int], shape: Shape, plain: _Plain, bits: bool) -> _launch.Prepared:
    """bits: whether spikes are sent as bits."""
    if bits:
        _bits.rows_within(shape.rows)
    grid = (_launch.cdiv(size[1], shape.block),)
    sizes = _tile.sizes(dtype, size, shape)
    return _launch.Prepared(forward_kernel, grid, shape.warps, **plain._asdict(), **sizes)


def _forward(constants: _Constants, x: Tensor, sent: _bits.Sent, kept: _Kept, asked: _launch.Options) -> None:
    """What is sent and what is kept."""
    u, states, bits = kept
    s, words = sent
    name = "lif.forward" if u is not None else "lif.inference" if states is None else "lif.forward.checkpoints"
    if words is not None and states is None:
        name += ".bits"
    plain, decay_at, threshold_at = constants
    launch = _forward_of(name, x, asked, plain, words is not None)
    words = None if words is bits else words
    written = {"s": s, "words": words, "u": u, "states": states, "bits": bits}
    launch(x, {"x": x, "decay_at": decay_at, "threshold_at": threshold_at, **written})


@_launch.fitted
def _backward_of(
    dtype: torch.dtype,
    size: tuple[int, int],
    shape: Shape,
    plain: _Plain,
    how: tuple[float, str, bool],
    wanted: tuple[bool, bool],
) -> _adjoint.Backward:
    """how: the surrogate's slope, its name, and whether the reset is detached; wanted: of decay and threshold."""
    kind = dict(zip(("slope", "SURROGATE", "DETACH"), how, strict=True))
    sums = dict(zip(("decay_sum", "threshold_sum"), wanted, strict=True))
    given = {**plain._asdict(), **kind}
    return _adjoint.Backward(backward_kernel, (dtype, size), shape, sums, **given)


class _LIF(_operator.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        decay: Tensor | None,
        threshold: Tensor | None,
        call: tuple[_Plain, tuple[float, str, bool], _launch.Options, Save, torch.dtype | None],
    ) -> Tensor:
        """call: the neuron, its surrogate and reset, what is asked for, what is saved, and as what spikes are sent."""
        x, (plain, how, asked, save, dtype) = _launch.series(x), call
        sent = _bits.Sent.of(x, dtype)
        if save == "checkpoints":
            rows = _rows_kept(x.dtype, _launch.size(x)[1], asked.rows, asked.chunk)
            asked, kept = _launch.Options(*asked[:4], rows), _checkpoints(plain, x, rows, sent.words)
        else:
            kept = _Kept(_launch.like(x, _launch.wide(x.dtype)))
        _forward((plain, decay, threshold), x, sent, kept, asked)
        again = save == "checkpoints" or (ctx.needs_input_grad[1] and plain.SCALED)
        ctx.save_for_backward(x if again else None, *kept, decay, threshold)
        ctx.how = plain, how, asked
        return sent.given(x)

    @staticmethod
    @_operator.once
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, u, states, bits, decay, threshold = ctx.saved_tensors
        plain, how, asked = ctx.how
        g = _launch.whole(grad)
        name = "lif.backward" if x is None else "lif.backward.scaled" if states is None else "lif.backward.checkpoints"
        passed = _backward_of(name, g, asked, plain, how, ctx.needs_input_grad[1:3])
        given = {"x": x, "u": u, "states": states, "bits": bits, "decay_at": decay, "threshold_at": threshold}
        return *passed(g, given), None


@triton.jit
def _scalars(decay_at, threshold_at, decay, rest, threshold, synapse, COMPUTE: tl.constexpr):
    """Decay, input scale, threshold and the synapse's decay in the dtype of the computation."""
    d, c, a = _adjoint.decays(decay_at, decay, rest, synapse, COMPUTE)
    th = tl.full([], threshold, COMPUTE) if threshold_at is None else tl.load(threshold_at).to(COMPUTE)
    return d, c, th, a


@triton.jit
def _membrane(v, i, x, d, c, a, SYNAPSE: tl.constexpr, SCALED: tl.constexpr, DELAY: tl.constexpr):
    """u_t and the synapse's current after input x."""
    if SYNAPSE:
        i = a * i + x
        x = i
    if SCALED:
        x = c * x
    return (v if DELAY else d * v) + x, i


@triton.jit
def _reset(u, fired, d, th, RESET: tl.constexpr, DELAY: tl.constexpr):
    """The membrane after the reset where it fired; with a delayed reset already decayed."""
    if RESET == "hard":
        v = tl.where(fired, 0 * u, u)
    elif RESET == "soft":
        v = d * u if DELAY else u
        v = tl.where(fired, v - th, v)
    else:
        v = u
    return v


@triton.jit
def _fired(u, th, STRICT: tl.constexpr):
    return u > th if STRICT else u >= th


@triton.jit(do_not_specialize=["T"])
def forward_kernel(
    x,  # [T, M]
    s,  # [T, M], or None: they are sent as bits
    words,  # [⌈T/32⌉, M] the spikes as bits, or None; also if `bits` are the same words
    u,  # [T, M], or None: do not save
    states,  # [1, tiles, M] v before each tile, [2, tiles, M] with the synapse's current, or None: do not save
    bits,  # [tiles, M] the spikes of each tile, the first step's in the lowest bit, or None
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
    R: tl.constexpr,
    STAGES: tl.constexpr,
):
    d, c, th, a = _scalars(decay_at, threshold_at, decay, rest, threshold, synapse, COMPUTE)
    m, inside, width = _tile.series(M, BLOCK)
    v = tl.zeros([BLOCK], COMPUTE)
    i = tl.zeros([BLOCK], COMPUTE)
    sent = tl.zeros([BLOCK], tl.int32)
    ahead = _tile.load(x, m, _tile.rows(0, 0, T, inside, R), width, R)
    for t in tl.range(0, T, R, num_stages=STAGES):
        at, there = t * width + m, _tile.rows(t, 0, T, inside, R)
        xs, ahead = _tile.turn(
            ahead, x, at, there, at + R * width, _tile.rows(t + R, 0, T, inside, R), width, R, STAGES
        )
        if states is not None:
            at_tile = t // R * width + m
            tl.store(states + at_tile, v, mask=inside)
            if SYNAPSE:
                tl.store(states + (tl.cdiv(T, R) * width + at_tile), i, mask=inside)
        word = tl.zeros([BLOCK], tl.int32)
        ss = ()
        us = ()
        for r in tl.static_range(R):
            u_t, i = _membrane(v, i, xs[r].to(COMPUTE), d, c, a, SYNAPSE, SCALED, DELAY)
            fired = _fired(u_t, th, STRICT)
            v = _reset(u_t, fired, d, th, RESET, DELAY)
            word = word | (fired.to(tl.int32) << r)
            ss += (fired.to(COMPUTE),)
            us += (u_t,)
        if s is not None:
            _tile.store(s, at, there, width, ss, R)
        if u is not None:
            _tile.store(u, at, there, width, us, R)
        if bits is not None or words is not None:
            word = _tile.within(word, t, T, R)
        if bits is not None:
            tl.store(bits + (t // R * width + m), word.to(bits.dtype.element_ty), mask=inside)
        if words is not None:
            sent = _tile.send(words, sent, word, t, T, m, width, inside, R)


@triton.jit(do_not_specialize=["T", "L"])
def backward_kernel(
    g,  # [T, M]
    u,  # [T, M], or None: each tile is run again from x, states and bits
    states,  # as in the forward pass
    bits,
    x,  # [T, M], or None unless tiles are run again, or the decay scales the input and learns
    dx,  # [T, M], or None: only the ends
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
    R: tl.constexpr,
    STAGES: tl.constexpr,
):
    d, c, th, a = _scalars(decay_at, threshold_at, decay, rest, threshold, synapse, COMPUTE)
    k = tl.full([], slope, COMPUTE)
    m, inside, width = _tile.series(M, BLOCK)
    chunk, chunks, first, end, t_last = _adjoint.span(T, L, R)
    G, Y, G1, Y1 = _adjoint.entering(state, chunk, chunks, m, width, inside, ENDS, COMPUTE, BLOCK)
    by_decay = tl.zeros([BLOCK], tl.float64)
    by_threshold = tl.zeros([BLOCK], tl.float64)
    at, there = t_last * width + m, _tile.rows(t_last, first, end, inside, R)
    # what is read of the tile before this one, asked for a turn before it is used: g, then u, or x and the checkpoint
    gs_ahead = _tile.load(g, at, there, width, R)
    if u is not None:
        us_ahead = _tile.load(u, at, there, width, R)
    if x is not None:
        xs_ahead = _tile.load(x, at, there, width, R)
    if states is not None:
        kept_ahead = _checkpoint(states, bits, t_last // R, tl.cdiv(T, R), m, width, there, SYNAPSE)
    for back in tl.range(0, end - first, R, num_stages=STAGES):
        t = t_last - back
        at, there = t * width + m, _tile.rows(t, first, end, inside, R)
        before = _tile.rows(t - R, first, end, inside, R)
        gs, gs_ahead = _tile.turn(gs_ahead, g, at, there, at - R * width, before, width, R, STAGES)
        if x is not None:
            xs, xs_ahead = _tile.turn(xs_ahead, x, at, there, at - R * width, before, width, R, STAGES)
        if u is not None:
            us, us_ahead = _tile.turn(us_ahead, u, at, there, at - R * width, before, width, R, STAGES)
            word = tl.zeros([BLOCK], tl.int32)
        else:
            if STAGES > 1:
                v, i, word = _checkpoint(states, bits, t // R, tl.cdiv(T, R), m, width, there, SYNAPSE)
            else:
                v, i, word = kept_ahead
                kept_ahead = _checkpoint(states, bits, t // R - 1, tl.cdiv(T, R), m, width, before, SYNAPSE)
            us = ()
            for r in tl.static_range(R):
                u_t, i = _membrane(v, i, xs[r].to(COMPUTE), d, c, a, SYNAPSE, SCALED, DELAY)
                v = _reset(u_t, (word >> r & 1) != 0, d, th, RESET, DELAY)
                us += (u_t,)
        dxs = ()
        for j in tl.static_range(R):
            u_t = us[R - 1 - j]
            g_t = gs[R - 1 - j].to(COMPUTE)
            fired = _fired(u_t, th, STRICT) if u is not None else (word >> (R - 1 - j) & 1) != 0
            e = derivative(u_t - th, k, SURROGATE)
            f = _fade(u_t, fired, e, d, th, RESET, DELAY, DETACH)
            if decay_sum is not None:
                by_decay += (G * (u_t if DELAY else _reset(u_t, fired, d, th, RESET, DELAY))).to(tl.float64)
            if threshold_sum is not None:
                by_threshold -= _of_threshold(u_t, fired, g_t, e, G if DELAY else d * G, th, RESET, DETACH).to(
                    tl.float64
                )
            G, Y = _adjoint.back(G, Y, e * g_t, f, a, SYNAPSE)
            if ENDS:
                G1, Y1 = _adjoint.back(G1, Y1, 0 * e, f, a, SYNAPSE)
            if SCALED and decay_sum is not None:
                by_decay -= (Y * xs[R - 1 - j].to(COMPUTE)).to(tl.float64)
            dxs += (c * Y if SCALED else Y,)
        if dx is not None:
            _tile.store(dx, at, there, width, _tile.reverse(dxs, R), R)
    if ENDS:
        _adjoint.leaving(state, chunk, chunks, m, width, inside, G, Y, G1, Y1)
    if decay_sum is not None:
        _adjoint.total(decay_sum, by_decay, chunk, chunks)
    if threshold_sum is not None:
        _adjoint.total(threshold_sum, by_threshold, chunk, chunks)


@triton.jit
def _checkpoint(states, bits, tile, tiles, m, width, there, SYNAPSE: tl.constexpr):
    """v and the synapse's current before a tile, and its spikes as bits."""
    at, read = tile * width + m, there > 0
    v = tl.load(states + at, mask=read, other=0)
    i = tl.load(states + (tiles * width + at), mask=read, other=0) if SYNAPSE else v
    return v, i, tl.load(bits + at, mask=read, other=0).to(tl.int32)


@triton.jit
def _fade(u, fired, e, d, th, RESET: tl.constexpr, DELAY: tl.constexpr, DETACH: tl.constexpr):
    """dG_t/dG_{t+1} = ∂v_t/∂u_t, through the spike too unless detached, times the decay unless v has it already."""
    f = tl.zeros_like(u) + (d if DELAY else 1)
    if RESET == "hard":
        f = tl.where(fired, 0.0, f)
    if RESET == "soft" and not DETACH:
        f = f - e * th
    elif RESET == "hard" and not DETACH:
        f = f - e * u
    return f if DELAY else d * f


@triton.jit
def _of_threshold(u, fired, g, e, W, th, RESET: tl.constexpr, DETACH: tl.constexpr):
    """Minus dL/dθ of a step: σ'·dL/ds_t, and where a soft reset subtracts θ what it takes from v; W: dL/dv_t."""
    ds = g
    if RESET == "soft" and not DETACH:
        ds = g - th * W
    elif RESET == "hard" and not DETACH:
        ds = g - u * W
    return e * ds + tl.where(fired, W, 0 * W) if RESET == "soft" else e * ds
