"""Launching the kernels of _recurrence.py: one pass over time, or chunks of time that run at once, both ways."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from itertools import product
from typing import Any, NamedTuple, TypedDict

import torch
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import _launch, _recurrence
from spikebench.backends.triton._autograd import Gradients, Passes, Tensors, at_once
from spikebench.backends.triton._bits import Sent, rows_within
from spikebench.backends.triton._direct import Arguments
from spikebench.backends.triton._operator import NO_BITS
from spikebench.backends.triton._philox import Noise
from spikebench.backends.triton._scan import chained
from spikebench.numerics.bits import BITS

Candidates = Callable[[torch.dtype, int, int], tuple[_launch.Shape, ...]]
TILE = 16  # steps, where a case does not say and only bytes are counted
WARPS, EACH, CHUNKS = (1, 2, 4), (1, 2), (64, 128, 256, 512)  # of a program; series of a thread; steps of a chunk
MANY = 1 << 16  # series, from where a multiprocessor must hold so many threads that each has 128 registers at most


@dataclass(frozen=True, eq=False)
class Recurrence:
    """What a neuron is to the kernels: its functions, and what they need beside x. It equals itself alone.

    phases: the states that each pass before a chunked forward pass finds, "pq" where both are linear; a state that the
    other one enters through a nonlinear function comes after it. (): the forward pass cannot be cut.
    draws: uniforms. further: nothing, constants "per_neuron" [own, N], or a "second" input [T, M].
    """

    name: str
    step: Any
    fade: Any
    adjoint: Any
    phases: tuple[str, ...] = ("pq",)
    draws: bool = False
    further: str = ""
    sums: Any = None
    own: int = 3


class Call(NamedTuple):
    """One call of a neuron: at most five constants (those per neuron stand for the first three), its kind, what is asked of the shape, and its noise.

    late: the backward pass of a step wants something of the step after. redraws: it wants the uniforms.
    """

    neuron: Recurrence
    numbers: tuple[float, ...]
    asked: _launch.Options
    mode: str = ""
    surrogate: str = ""
    late: bool = False
    redraws: bool = False
    noise: Noise = Noise(0, 0, 0)  # the last: it alone differs from call to call


class Common(TypedDict):
    """The arguments of both kernels that stay: sizes, at most five constants, and what is compiled in."""

    T: int
    L: int
    M: int
    N: int
    k0: float
    k1: float
    k2: float
    k3: float
    k4: float
    STEP: Any
    MODE: str
    SURROGATE: str
    OWN: int
    COMPUTE: tl.dtype
    BLOCK: int
    R: int
    STAGES: int


def grid(
    cut: bool = True, bytes_ahead: int = 64, rows: tuple[int, ...] = (4, 8, 16), where_many: int | None = None
) -> Candidates:
    """Candidates of a kernel, by what a thread may prefetch of a tensor: `bytes_ahead` bytes with fewer than MANY series.

    From there on it is half of that, or `where_many`: as much, for a kernel that even so takes at most 128 registers.
    """
    many = where_many or bytes_ahead // 2

    def shapes(dtype: torch.dtype, steps: int, count: int) -> tuple[_launch.Shape, ...]:
        most = (many if count >= MANY else bytes_ahead) // max(4, dtype.itemsize)
        chunks = [0, *(c for c in CHUNKS if cut and 4 * c <= steps and count < MANY)]
        tiles = [(each, r) for each in EACH for r in rows if each * r <= most and (each == 1 or 64 <= count)]
        return tuple(
            _launch.Shape(32 * each * warps, warps, r, 1, chunk)
            for chunk, (each, r), warps in product(chunks, tiles or [(1, 4)], WARPS)
        )

    return shapes


def moves(case: Any, tensors: dict[str, tuple[int, int]], states: int, tile: int = TILE) -> int:
    """Bytes that must move: those of `tensors` as in _launch.moved, and `states` per series kept once a tile."""
    width = max(4, getattr(torch, case.dtype).itemsize)
    rows = case.parsed.all_how["rows"] or tile
    passes = {"inference": 0, "forward": 1, "train": 2}[case.mode]
    return _launch.moved(case, tensors) + passes * states * width * case.B * case.N * -(-case.T // rows)


class Plan(NamedTuple):
    """The launches of one pass of a neuron over x of one size: of all of it, and where that is cut, of the chunks before."""

    last: _launch.Prepared
    ends: _launch.Prepared | None
    rows: int  # steps a tile


@lru_cache(_launch.KNOWN)
def _plan(
    call: tuple[Any, ...],
    forward: bool,
    dtype: torch.dtype,
    size: tuple[int, int],
    neurons: int,
    shape: _launch.Shape,
) -> Plan:
    """call: a `Call` without its noise; neurons: N where constants are per neuron; shape: its rows are a multiple of a tile's."""
    of = Call(*call)
    neuron, (steps, count) = of.neuron, size
    chunk = 0 if forward and not neuron.phases else -(-shape.chunk // shape.rows) * shape.rows
    length = chunk if 0 < chunk < steps else steps
    grid = (_launch.cdiv(count, shape.block), _launch.cdiv(steps, length))
    k0, k1, k2, k3, k4 = (*of.numbers, *(0.0,) * (5 - len(of.numbers)))
    common: Common = {
        "T": steps,
        "L": length,
        "M": count,
        "N": neurons or count,
        "k0": k0,
        "k1": k1,
        "k2": k2,
        "k3": k3,
        "k4": k4,
        "STEP": neuron.step,
        "MODE": of.mode,
        "SURROGATE": of.surrogate,
        "OWN": neuron.own,
        "COMPUTE": _launch.COMPUTE[dtype],
        "BLOCK": shape.block,
        "R": shape.rows,
        "STAGES": shape.stages,
    }
    if forward:
        own: Arguments = {"FADE": neuron.fade, "DRAWS": neuron.draws}
        kernel, none = _recurrence.forward_kernel, ("s", "words", "kept")
    else:
        own = {"ADJOINT": neuron.adjoint, "SUMS": neuron.sums, "LATE": of.late, "DRAWS": of.redraws}
        kernel, none = _recurrence.backward_kernel, ("dx", "by_second", "sums")
    last = _launch.Prepared(kernel, grid, shape.warps, ends=None, **own, **common)
    if grid[1] == 1:
        return Plan(last, None, shape.rows)
    ends = _launch.Prepared(kernel, grid, shape.warps, **dict.fromkeys(none), **own, **common)
    return Plan(last, ends, shape.rows)


def _forward(
    call: Call, x: Tensor, further: Tensors, sent: Sent, wanted: tuple[bool, ...] | None
) -> tuple[Gradients, int]:
    """Spikes to where they are sent. Kept are the input and the states before every tile; known is the length of a tile."""
    neuron = call.neuron
    size, shape = _launch.sized(f"{neuron.name}.forward", x, call.asked)
    turn, second = _roles(call, further)
    shape = _whole(shape, neuron.draws, sent.words is not None)
    plan = _plan(call[:-1], True, x.dtype, size, 0 if turn is None else turn.shape[1], shape)
    seed, of_call, site = call.noise
    given = {"x": x, "second": second, "per_neuron": turn, "seed": seed, "call": of_call, "site": site}
    state = None
    if plan.ends is not None:
        make = x.new_zeros if len(neuron.phases) > 1 else x.new_empty
        state = make(2, plan.ends.grid[1], size[1], dtype=_launch.wide(x.dtype))
        for place, phase in enumerate(neuron.phases):
            ends = state.new_empty(6, *state.shape[1:])
            plan.ends(x, state=state if place else None, ends=ends, **given)
            chained(ends, state, phase, reverse=False)
    kept = None
    if wanted is not None:
        kept = x.new_empty(2, _launch.cdiv(size[0], plan.rows), size[1], dtype=_launch.wide(x.dtype))
    plan.last(x, s=sent.s, words=sent.words, kept=kept, state=state, **given)
    return (x, kept), plan.rows


def _backward(
    call: Call, rows: int, g: Tensor, kept: Gradients, further: Tensors, wanted: tuple[bool, ...]
) -> Gradients:
    """Gradients of the input, and of the second one or of the constants per neuron."""
    neuron, (x, states) = call.neuron, kept
    assert x is not None and states is not None
    size, shape = _launch.sized(f"{neuron.name}.backward", g, _launch.Options(*call.asked[:4], rows))
    turn, second = _roles(call, further)
    plan = _plan(call[:-1], False, g.dtype, size, 0 if turn is None else turn.shape[1], shape)
    seed, of_call, site = call.noise
    given = {"g": g, "x": x, "kept": states, "second": second, "per_neuron": turn}
    given |= {"seed": seed, "call": of_call, "site": site}
    state = None
    chunks = plan.last.grid[1]
    if plan.ends is not None:
        ends = states.new_empty(6, chunks, size[1])
        state = states.new_empty(2, chunks, size[1])
        plan.ends(g, state=None, ends=ends, **given)
        chained(ends, state, "pq", reverse=True)
    dx = torch.empty_like(g)
    by_second = None if second is None else torch.empty_like(g)
    sums = None if turn is None or not wanted[1] else g.new_empty(neuron.own, chunks, size[1], dtype=torch.float64)
    plan.last(g, dx=dx, by_second=by_second, state=state, sums=sums, **given)
    if sums is None or turn is None:
        return (dx, by_second) if further else (dx,)
    return dx, sums.view(neuron.own, -1, turn.shape[1]).sum(1).to(turn.dtype)


def _roles(call: Call, further: Tensors) -> tuple[Tensor | None, Tensor | None]:
    """Constants per neuron, and the second input, of which a neuron has one at most."""
    kind = call.neuron.further
    return further[0] if kind == "per_neuron" else None, further[0] if kind == "second" else None


def _whole(shape: _launch.Shape, draws: bool, bits: bool) -> _launch.Shape:
    """The shape, with tiles of whole fours of steps where uniforms are drawn: a counter has four; bits: chunks of whole words."""
    if draws and shape.rows % 4:
        shape = replace(shape, rows=-(-shape.rows // 4) * 4)
    if bits and rows_within(shape.rows) and shape.chunk % BITS:
        shape = replace(shape, chunk=-(-shape.chunk // BITS) * BITS)
    return shape


def _spec(call: Call, spikes: str) -> tuple[str, tuple[Any, ...], tuple[float, ...], Tensor | None]:
    """A call as the operator takes it."""
    neuron, (seed, number, site) = call.neuron, call.noise
    if spikes == "bits":
        raise Refused(NO_BITS)
    kind = (call.mode, call.surrogate, call.late, call.redraws)
    spec = (neuron.name, tuple(call.asked), kind, spikes, (seed, site))
    return __name__, spec, call.numbers, number if isinstance(number, Tensor) else None


def remade(
    spec: tuple[Any, ...], further: Tensors, numbers: Sequence[float], number: int
) -> Callable[[Tensor], Tensor]:
    """The function of x that `_spec` names."""
    name, asked, kind, spikes, (seed, site) = spec
    neuron = import_module(f"spikebench.backends.triton.{name}").NEURON
    call = Call(neuron, tuple(numbers), _launch.Options(*asked), *kind, Noise(seed, number, site))
    return lambda x: at_once(PASSES, call, x, *further, spikes=spikes)


PASSES = Passes(_forward, _backward, _spec)
