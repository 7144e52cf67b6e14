"""Launching the kernels of _recurrence.py: one pass over time, or chunks of time that run at once, both ways."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any, NamedTuple, TypedDict

import torch
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch, _recurrence
from spikebench.backends.triton._autograd import Gradients, Passes, Tensors
from spikebench.backends.triton._philox import Noise
from spikebench.backends.triton._scan import chained

Candidates = Callable[[torch.dtype, int, int], tuple[_launch.Shape, ...]]
TILE = 16  # steps, where a case does not say and only bytes are counted
WARPS, EACH, CHUNKS = (1, 2, 4), (1, 2), (64, 128, 256, 512)  # of a program; series of a thread; steps of a chunk
MANY = 1 << 16  # series, from where a multiprocessor must hold so many threads that each has 128 registers at most


class Recurrence(NamedTuple):
    """What a neuron is to the kernels: its functions, and what they need beside x.

    phases: the states that each pass before a chunked forward pass finds, "pq" where both are linear; a state that the
    other one enters through a nonlinear function comes after it. (): the forward pass cannot be cut.
    draws: uniforms. further: nothing, constants "per_neuron" [3, N], or a "second" input [T, M].
    """

    name: str
    step: Any
    fade: Any
    adjoint: Any
    phases: tuple[str, ...] = ("pq",)
    draws: bool = False
    further: str = ""
    sums: Any = None


class Call(NamedTuple):
    """One call of a neuron: at most five constants, its kind, its noise, and what is asked of the shape.

    late: the backward pass of a step wants something of the step after. redraws: it wants the uniforms.
    """

    neuron: Recurrence
    numbers: tuple[float, ...]
    asked: _launch.Options
    mode: str = ""
    surrogate: str = ""
    noise: Noise = Noise(0, 0, 0)
    late: bool = False
    redraws: bool = False


class Common(TypedDict):
    """The arguments that both kernels take: sizes, at most five constants, noise, and what is compiled in."""

    second: Tensor | None
    per_neuron: Tensor | None
    seed: int
    call: int
    site: int
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
    COMPUTE: tl.dtype
    BLOCK: int
    R: int
    STAGES: int


def grid(cut: bool = True, bytes_ahead: int = 64, rows: tuple[int, ...] = (4, 8, 16)) -> Candidates:
    """Candidates of a kernel: a thread asks for at most `bytes_ahead` of a tensor ahead of time, half where many run."""

    def shapes(dtype: torch.dtype, steps: int, count: int) -> tuple[_launch.Shape, ...]:
        most = bytes_ahead // (2 if count >= MANY else 1) // max(4, dtype.itemsize)
        chunks = [0, *(c for c in CHUNKS if cut and 4 * c <= steps and count < MANY)]
        tiles = [(each, r) for each in EACH for r in rows if each * r <= most and (each == 1 or 64 <= count)]
        return tuple(
            _launch.Shape(32 * each * warps, warps, r, 1, chunk)
            for chunk, (each, r), warps in product(chunks, tiles or [(1, 4)], WARPS)
        )

    return shapes


def moves(case: Any, tensors: dict[str, tuple[int, int]], states: int) -> int:
    """Bytes that must move: those of `tensors` as in _launch.moved, and `states` per series kept once a tile of TILE steps."""
    width = max(4, getattr(torch, case.dtype).itemsize)
    rows = case.parsed.all_how["rows"] or TILE
    passes = {"inference": 0, "forward": 1, "train": 2}[case.mode]
    return _launch.moved(case, tensors) + passes * states * width * case.B * case.N * -(-case.T // rows)


def _forward(
    call: Call, x: Tensor, further: Tensors, s: Tensor, wanted: tuple[bool, ...] | None
) -> tuple[Gradients, int]:
    """Spikes into s. Kept are the input and the states before every tile; known is the length of a tile."""
    neuron = call.neuron
    shape = _shape(f"{neuron.name}.forward", x, call.asked, 4 if neuron.draws else 1)
    if not neuron.phases:
        shape = replace(shape, chunk=0)
    grid, common = _plan(call, x, further, shape)
    given = {"x": x, "FADE": neuron.fade, "DRAWS": neuron.draws, **common}
    state = None
    if grid[1] > 1:
        make = x.new_zeros if len(neuron.phases) > 1 else x.new_empty
        state = make(2, grid[1], x.shape[1], dtype=_launch.wide(x.dtype))
        for place, phase in enumerate(neuron.phases):
            ends = state.new_empty(6, *state.shape[1:])
            parts = {"s": None, "kept": None, "state": state if place else None, "ends": ends}
            _launch.launch(_recurrence.forward_kernel, grid, shape.warps, x, **parts, **given)
            chained(ends, state, phase, reverse=False)
    kept = None
    if wanted is not None:
        kept = x.new_empty(2, _launch.cdiv(x.shape[0], shape.rows), x.shape[1], dtype=_launch.wide(x.dtype))
    parts = {"s": s, "kept": kept, "state": state, "ends": None}
    _launch.launch(_recurrence.forward_kernel, grid, shape.warps, x, **parts, **given)
    return (x, kept), shape.rows


def _backward(
    call: Call, rows: int, g: Tensor, kept: Gradients, further: Tensors, wanted: tuple[bool, ...]
) -> Gradients:
    """Gradients of the input, and of the second one or of the constants per neuron."""
    neuron, (x, states) = call.neuron, kept
    assert x is not None and states is not None
    shape = _shape(f"{neuron.name}.backward", g, _launch.Options(*call.asked[:4], rows), rows)
    grid, common = _plan(call, g, further, shape)
    learns = neuron.further == "per_neuron" and wanted[1]
    functions = {"ADJOINT": neuron.adjoint, "SUMS": neuron.sums, "LATE": call.late, "DRAWS": call.redraws}
    given = {"g": g, "x": x, "kept": states, **functions, **common}
    state = None
    if grid[1] > 1:
        ends = states.new_empty(6, grid[1], g.shape[1])
        state = states.new_empty(2, *ends.shape[1:])
        parts = {"dx": None, "by_second": None, "state": None, "ends": ends, "sums": None}
        _launch.launch(_recurrence.backward_kernel, grid, shape.warps, g, **parts, **given)
        chained(ends, state, "pq", reverse=True)
    dx = torch.empty_like(g)
    by_second = torch.empty_like(g) if neuron.further == "second" else None
    sums = g.new_empty(3, grid[1], g.shape[1], dtype=torch.float64) if learns else None
    parts = {"dx": dx, "by_second": by_second, "state": state, "ends": None, "sums": sums}
    _launch.launch(_recurrence.backward_kernel, grid, shape.warps, g, **parts, **given)
    if sums is None:
        return (dx, by_second) if further else (dx,)
    turn = further[0]
    return dx, sums.view(3, -1, turn.shape[1]).sum(1).to(turn.dtype)


def _shape(kernel: str, x: Tensor, asked: _launch.Options, of: int) -> _launch.Shape:
    """A kernel's shape over x [T, M]: rows a multiple of `of`, steps of a chunk one of rows; 0 for all."""
    shape = _launch.shape(kernel, x, asked)
    rows = -(-shape.rows // of) * of
    chunk = -(-shape.chunk // rows) * rows
    return _launch.Shape(shape.block, shape.warps, rows, shape.stages, chunk if chunk < x.shape[0] else 0)


def _plan(call: Call, x: Tensor, further: Tensors, shape: _launch.Shape) -> tuple[tuple[int, int], Common]:
    """Grid, and the arguments that both kernels take over x [T, M]."""
    steps, count = x.shape
    length = shape.chunk or steps
    turn = further[0] if call.neuron.further == "per_neuron" else None
    seed, of_call, site = call.noise
    k0, k1, k2, k3, k4 = (*call.numbers, *(0.0,) * (5 - len(call.numbers)))
    return (_launch.cdiv(count, shape.block), _launch.cdiv(steps, length)), {
        "second": further[0] if call.neuron.further == "second" else None,
        "per_neuron": turn,
        "seed": seed,
        "call": of_call,
        "site": site,
        "T": steps,
        "L": length,
        "M": count,
        "N": count if turn is None else turn.shape[1],
        "k0": k0,
        "k1": k1,
        "k2": k2,
        "k3": k3,
        "k4": k4,
        "STEP": call.neuron.step,
        "MODE": call.mode,
        "SURROGATE": call.surrogate,
        "COMPUTE": _launch.COMPUTE[x.dtype],
        "BLOCK": shape.block,
        "R": shape.rows,
        "STAGES": shape.stages,
    }


PASSES = Passes(_forward, _backward)
