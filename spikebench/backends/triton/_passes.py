"""Launching the kernels of _recurrence.py: one pass over time, or chunks of time that run at once, both ways."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
    chunks: tuple[int, int]  # and M
    kept: tuple[int, int, int]  # states, tiles and M
    asked: _launch.Options  # of the backward pass, whose tiles are those of the forward pass


@_launch.fitted
def _plan(
    dtype: torch.dtype,
    size: tuple[int, int],
    shape: _launch.Shape,
    call: tuple[Any, ...],
    forward: bool,
    bits: bool,
    neurons: int,
) -> Plan:
    """call: a `Call` without its noise; bits: whether spikes are sent as bits; neurons: N where constants are per neuron."""
    of = Call(*call)
    neuron, (steps, count) = of.neuron, size
    if forward:
        shape = _whole(shape, neuron.draws, bits)
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
    own |= {k: None for k in ("second", "per_neuron") if k != neuron.further}
    last = _launch.Prepared(kernel, grid, shape.warps, ends=None, **own, **common)
    ends = None
    if grid[1] > 1:
        ends = _launch.Prepared(kernel, grid, shape.warps, **own | dict.fromkeys(none), **common)
    kept = (2, _launch.cdiv(steps, shape.rows), count)
    return Plan(last, ends, (grid[1], count), kept, _launch.Options(*of.asked[:4], shape.rows))


def _forward(
    call: Call, x: Tensor, further: Tensors, sent: Sent, wanted: tuple[bool, ...] | None
) -> tuple[Gradients, _launch.Options]:
    """Spikes to where they are sent. Kept are the input and the states before every tile; known is what backward asks for."""
    neuron = call.neuron
    s, words = sent
    of, N = call[:-1], _neurons(neuron, further)
    plan = _plan(f"{neuron.name}.forward", x, call.asked, of, True, words is not None, N)
    given: Arguments = {"x": x}
    given["seed"], given["call"], given["site"] = call.noise
    if further:
        given[neuron.further] = further[0]
    state = None
    if plan.ends is not None:
        make = x.new_zeros if len(neuron.phases) > 1 else x.new_empty
        state = make(2, *plan.chunks, dtype=_launch.wide(x.dtype))
        for place, phase in enumerate(neuron.phases):
            ends = state.new_empty(6, *state.shape[1:])
            plan.ends(x, given | {"state": state if place else None, "ends": ends})
            chained(ends, state, phase, reverse=False)
    kept = None
    if wanted is not None:
        kept = x.new_empty(plan.kept, dtype=_launch.wide(x.dtype))
    given |= {"s": s, "words": words, "kept": kept, "state": state}
    plan.last(x, given)
    return (x, kept), plan.asked


def _backward(
    call: Call, asked: _launch.Options, g: Tensor, kept: Gradients, further: Tensors, wanted: tuple[bool, ...]
) -> Gradients:
    """Gradients of the input, and of the second one or of the constants per neuron."""
    neuron, (x, states) = call.neuron, kept
    assert x is not None and states is not None
    plan = _plan(f"{neuron.name}.backward", g, asked, call[:-1], False, False, _neurons(neuron, further))
    given: Arguments = {"g": g, "x": x, "kept": states}
    given["seed"], given["call"], given["site"] = call.noise
    if further:
        given[neuron.further] = further[0]
    state = None
    if plan.ends is not None:
        ends = states.new_empty(6, *plan.chunks)
        state = states.new_empty(2, *plan.chunks)
        plan.ends(g, given | {"state": None, "ends": ends})
        chained(ends, state, "pq", reverse=True)
    dx = torch.empty_like(g)
    by_second = torch.empty_like(g) if neuron.further == "second" else None
    sums = None
    if neuron.further == "per_neuron" and wanted[1]:
        sums = g.new_empty(neuron.own, *plan.chunks, dtype=torch.float64)
    given |= {"dx": dx, "by_second": by_second, "state": state, "sums": sums}
    plan.last(g, given)
    if sums is None:
        return (dx, by_second) if further else (dx,)
    turn = further[0]
    return dx, sums.view(neuron.own, -1, turn.shape[1]).sum(1).to(turn.dtype)


def _neurons(neuron: Recurrence, further: Tensors) -> int:
    """N where there are constants per neuron, else 0."""
    return further[0].shape[1] if neuron.further == "per_neuron" else 0


def _whole(shape: _launch.Shape, draws: bool, bits: bool) -> _launch.Shape:
    """The shape, with tiles of whole fours of steps where uniforms are drawn: a counter has four; bits: chunks of whole words."""
    if draws and shape.rows % 4:
        shape = shape._replace(rows=-(-shape.rows // 4) * 4)
    if bits and rows_within(shape.rows) and shape.chunk % BITS:
        shape = shape._replace(chunk=-(-shape.chunk // BITS) * BITS)
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
