"""A diagonal state-space model as products of matrices over chunks of time, both ways; README.md derives it."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypedDict

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch
from spikebench.backends.triton._autograd import Gradients, Passes, Tensors, at_once, fused
from spikebench.backends.triton._bits import Sent
from spikebench.backends.triton._launch import Spikes
from spikebench.backends.triton._philox import Noise, uniforms

ROWS, COLUMNS = 16, 16  # of a tile: what a tensor core takes, and what four warps hold without spilling
CARRIED = 128  # series per program of the step between chunks


class How(NamedTuple):
    """How a spiking state-space model is computed: its noise, and what is asked of precision and shape; 0: found."""

    noise: Noise
    precision: str
    block: int
    warps: int
    stages: int


class _Sizes(TypedDict):
    """What every product of matrices takes: sizes, with C steps a chunk and E = 2S entries of the state, and its tiles."""

    T: int
    B: int
    N: int
    C: int
    E: int
    ROWS: int
    COLUMNS: int
    BLOCK: int
    STAGES: int
    COMPUTE: tl.dtype
    PRECISION: str


class _Parts(TypedDict):
    """What the kernel of outputs takes in one direction alone: bias, s, q and noise forwards, dx backwards."""

    bias: Tensor | None
    s: Tensor | None
    q: Tensor | None
    dx: Tensor | None
    seed: int
    call: Any  # a number by now
    site: int
    REVERSE: bool


def tables(decay: Tensor, weight: Tensor, direct: Tensor, gain: Tensor, chunk: int) -> tuple[Tensor, ...]:
    """Taps [C, N], ways into and out of the state [C, 2S, N], and its decay over a chunk [2S, N]; real parts first.

    q = taps * x + leave·h + bias: gain and direct are in the taps. Powers are taken in float64 and rounded once.
    """
    wide, steps = decay.to(torch.complex128), torch.arange(chunk + 1, device=decay.device)
    powers = wide ** steps[:, None, None]  # [C + 1, S, N]
    response = 2 * (gain * weight) * powers
    taps = response[:-1].real.sum(1)
    taps = torch.cat([taps[:1] + gain * direct, taps[1:]])
    enter = powers[:-1].flip(0)
    made = (taps, _halves(enter, 1), _halves(response[1:].conj(), 1), _halves(powers[-1], 0))
    return tuple(p.to(decay.real.dtype).contiguous() for p in made)


def _halves(z: Tensor, axis: int) -> Tensor:
    return torch.cat([z.real, z.imag], axis)


def run(x: Tensor, made: Tensors, bias: Tensor, how: How, spikes: Spikes) -> Tensor:
    """Spikes [T, B, N] shaped like x."""
    return fused(PASSES, how, x, bias, *made, spikes=spikes)


def spec(
    how: How, spikes: str, module: str = __name__
) -> tuple[str, tuple[Any, ...], tuple[float, ...], Tensor | None]:
    """A call as the operator takes it, for this module's form or another's."""
    (seed, number, site), *rest = how
    return module, ((seed, site), tuple(rest), spikes), (), number if isinstance(number, Tensor) else None


def again(passes: Passes, spec: tuple[Any, ...], further: Tensors, number: int) -> Callable[[Tensor], Tensor]:
    """The function of x that `spec` names."""
    (seed, site), rest, spikes = spec
    how = How(Noise(seed, number, site), *rest)
    return lambda x: at_once(passes, how, x, *further, spikes=spikes)


def remade(
    spec: tuple[Any, ...], further: Tensors, numbers: Sequence[float], number: int
) -> Callable[[Tensor], Tensor]:
    """The function of x that the operator names."""
    return again(PASSES, spec, further, number)


def _forward(
    how: How, x: Tensor, further: Tensors, sent: Sent, wanted: tuple[bool, ...] | None
) -> tuple[Gradients, None]:
    """Spikes to where they are sent. Kept are x, the probability before it is clamped, and the state that enters every chunk."""
    bias, taps, enter, leave, fade = further
    h = _states(x, enter, how)
    _carry(h, fade, None, False)
    q = None if wanted is None else torch.empty_like(x, dtype=_launch.wide(x.dtype))
    seed, call, site = how.noise
    parts = _Parts(bias=bias, s=sent.s, q=q, dx=None, seed=seed, call=call, site=site, REVERSE=False)
    _outputs(x, h, taps, leave, how, parts)
    return (x, q, h), None


def _backward(
    how: How, known: None, g: Tensor, kept: Gradients, further: Tensors, wanted: tuple[bool, ...]
) -> Gradients:
    """Gradients of x, bias and the tables."""
    (x, q, h), (_, taps, enter, leave, fade), learns = kept, further, any(wanted[1:])
    assert x is not None and q is not None and h is not None
    e = _inside_window(g, q)
    dh = _states(e, leave, how)
    by_fade = _carry(dh, fade, h if learns else None, True)
    dx = torch.empty_like(x)
    parts = _Parts(bias=None, s=None, q=None, dx=dx, seed=0, call=0, site=0, REVERSE=True)
    _outputs(e, dh, taps, enter, how, parts)
    if by_fade is None:
        return dx, *(None for _ in further)
    by_taps = _diagonals(_products(e, x, enter, how))
    by_enter, by_leave = _products(x, dh, enter, how), _products(e, h, enter, how)
    return dx, e.sum((0, 1)), by_taps, by_enter, by_leave, by_fade.sum(1)


PASSES = Passes(_forward, _backward, spec)


def _diagonals(products: Tensor) -> Tensor:
    """Sums [C, N] of products [i, j, N] over i − j = 0 … C − 1: row i is shifted so that each diagonal becomes a column."""
    chunk, _, neurons = products.shape
    flipped = torch.nn.functional.pad(products.flip(1), (0, 0, 0, chunk))  # [C, 2C, N]: column C − 1 − j
    shifted = flipped.reshape(-1, neurons)[: chunk * (2 * chunk - 1)].view(chunk, 2 * chunk - 1, neurons)
    return shifted.sum(0)[chunk - 1 :]  # element (i, C − 1 − j) stands in column C − 1 − j + i


def _inside_window(g: Tensor, q: Tensor) -> Tensor:
    """The gradient of q [T, B, N]: g inside the window, 0 outside."""
    e = torch.empty_like(q)
    grid = (_launch.cdiv(g.numel(), 1024),)
    _launch.launch(window_kernel, grid, 4, g, g=g, q=q, e=e, COUNT=g.numel(), BLOCK=1024)
    return e


def _plan(x: Tensor, table: Tensor, how: How) -> tuple[_Sizes, int]:
    """Sizes that every product over x [T, B, N] takes, with a table [C, 2S, N]; warps."""
    steps, batch, neurons = x.shape
    compute = _launch.COMPUTE[x.dtype]
    return {
        "T": steps,
        "B": batch,
        "N": neurons,
        "C": table.shape[0],
        "E": table.shape[1],
        "ROWS": ROWS,
        "COLUMNS": COLUMNS,
        "BLOCK": how.block or min(8, triton.next_power_of_2(neurons)),
        "STAGES": how.stages or 2,
        "COMPUTE": compute,
        "PRECISION": "ieee" if compute == tl.float64 else how.precision,
    }, how.warps or 4


def _states(x: Tensor, table: Tensor, how: How) -> Tensor:
    """What every chunk of x [T, B, N] adds to the state, [chunks, 2S, B, N]: tableᵀ·x."""
    sizes, warps = _plan(x, table, how)
    chunks = _launch.cdiv(sizes["T"], sizes["C"])
    out = x.new_empty(chunks, sizes["E"], *x.shape[1:], dtype=_launch.wide(x.dtype))
    grid = (_tiles(chunks * sizes["B"], sizes), _launch.cdiv(sizes["E"], ROWS))
    _launch.launch(states_kernel, grid, warps, x, x=x, table=table, out=out, **sizes)
    return out


def _tiles(columns: int, sizes: _Sizes) -> int:
    return _launch.cdiv(sizes["N"], sizes["BLOCK"]) * _launch.cdiv(columns, COLUMNS)


def _carry(state: Tensor, fade: Tensor, entering: Tensor | None, backwards: bool) -> Tensor | None:
    """In place: what every chunk adds to the state [chunks, 2S, B, N] becomes the state that enters it.

    Backwards it is the gradient of what the chunk adds; with the states that entered it is also that of the fade.
    """
    chunks, entries, batch, neurons = state.shape
    by_fade = None if entering is None else state.new_empty(entries, batch, neurons)
    sizes = {"CHUNKS": chunks, "B": batch, "N": neurons, "E": entries, "REVERSE": backwards, "BLOCK": CARRIED}
    parts = {"state": state, "fade": fade, "entering": entering, "by_fade": by_fade}
    grid = (_launch.cdiv(batch * neurons, CARRIED), entries // 2)
    _launch.launch(carry_kernel, grid, CARRIED // 32, state, **parts, **sizes, COMPUTE=_launch.COMPUTE[state.dtype])
    return by_fade


def _outputs(x: Tensor, h: Tensor, taps: Tensor, table: Tensor, how: How, parts: _Parts) -> None:
    """Spikes and the probability, or backwards dx: taps * x within each chunk, and table·h from before it."""
    sizes, warps = _plan(x, table, how)
    columns = _launch.cdiv(sizes["T"], sizes["C"]) * sizes["B"]
    grid = (_tiles(columns, sizes), _launch.cdiv(sizes["C"], ROWS))
    _launch.launch(outputs_kernel, grid, warps, x, x=x, h=h, taps=taps, table=table, **parts, **sizes)


def _products(left: Tensor, right: Tensor, table: Tensor, how: How) -> Tensor:
    """Σ left_i·right_j over chunks and batch: [C, C or 2S, N], of tensors of time and of states alike."""
    sizes, warps = _plan(left, table, how)
    states = right.dim() == 4
    rows = sizes["E"] if states else sizes["C"]
    limit = right.shape[0] * right.shape[1] if states else right.shape[0]
    out = right.new_empty(sizes["C"], rows, sizes["N"], dtype=_launch.wide(right.dtype))
    grid = (_launch.cdiv(sizes["N"], sizes["BLOCK"]), _launch.cdiv(sizes["C"], ROWS), _launch.cdiv(rows, ROWS))
    sizes["E"] = rows
    _launch.launch(products_kernel, grid, warps, left, left=left, right=right, out=out, LIMIT=limit, **sizes)
    return out


@triton.jit
def window_kernel(g, q, e, COUNT, BLOCK: tl.constexpr):
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    there = at < COUNT
    q_t = tl.load(q + at, mask=there, other=0)
    g_t = tl.load(g + at, mask=there, other=0).to(e.dtype.element_ty)
    tl.store(e + at, tl.where((q_t >= 0) & (q_t <= 1), g_t, 0), mask=there)


@triton.jit
def _tile(N, BLOCK: tl.constexpr, COLUMNS: tl.constexpr):
    """Neurons [BLOCK, 1, 1] and columns [1, 1, COLUMNS] of a program; neighbours take the same columns."""
    across = tl.cdiv(N, BLOCK)
    which = tl.program_id(0)
    n = (which % across).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)[:, None, None]
    return n, which // across * COLUMNS + tl.arange(0, COLUMNS)[None, None, :]


@triton.jit
def _split(column, B):
    """Chunk and batch item of columns, by a division of 32 bits: one of 64 costs as much as a product of tiles."""
    return (column // B.to(tl.int32)).to(tl.int64), (column % B.to(tl.int32)).to(tl.int64)


@triton.jit
def _part(base, chunk, row, b, n, B, N, LIMIT, HIGH: tl.constexpr, COMPUTE: tl.constexpr):
    """Values [n, row, (chunk, b)] of a tensor [chunks·HIGH, B, N] that has LIMIT rows; zero outside."""
    at = chunk * HIGH + row
    there = (row < HIGH) & (at < LIMIT) & (n < N)
    return tl.load(base + (at * B + b) * N + n, mask=there, other=0).to(COMPUTE)


@triton.jit(do_not_specialize=["T", "B"])
def states_kernel(
    x,  # [T, B, N]
    table,  # [C, E, N]
    out,  # [chunks, E, B, N]
    T: "i64",
    B: "i64",
    N,
    C: tl.constexpr,
    E: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
    COMPUTE: tl.constexpr,
    PRECISION: tl.constexpr,
):
    n, column = _tile(N, BLOCK, COLUMNS)
    chunk, b = _split(column, B)
    chunks = (T + C - 1) // C
    k = tl.program_id(1) * ROWS + tl.arange(0, ROWS)[None, :, None]
    total = tl.zeros([BLOCK, ROWS, COLUMNS], COMPUTE)
    for first in tl.range(0, C, 16, num_stages=STAGES):
        down, across = first + tl.arange(0, 16)[None, :, None], first + tl.arange(0, 16)[None, None, :]
        x_t = _part(x, chunk, down, b, n, B, N, T, C, COMPUTE)
        way = tl.load(table + (across * E + k).to(tl.int64) * N + n, mask=(k < E) & (n < N), other=0)
        total = tl.dot(way.to(COMPUTE), x_t, total, input_precision=PRECISION, out_dtype=COMPUTE)
    there = (k < E) & (chunk < chunks) & (n < N)
    tl.store(out + ((chunk * E + k) * B + b) * N + n, total, mask=there)


@triton.jit(do_not_specialize=["CHUNKS", "B"])
def carry_kernel(
    state,  # [chunks, E, B, N]
    fade,  # [E, N]
    entering,  # [chunks, E, B, N], or None
    by_fade,  # [E, B, N], or None
    CHUNKS: "i64",
    B: "i64",
    N,
    E: tl.constexpr,
    REVERSE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    M = B * N
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    k = tl.program_id(1).to(tl.int64)
    ar = tl.load(fade + k * N + m % N, mask=inside, other=0).to(COMPUTE)
    ai = tl.load(fade + (k + E // 2) * N + m % N, mask=inside, other=0).to(COMPUTE)
    if REVERSE:
        ai = -ai
    hr = tl.zeros([BLOCK], COMPUTE)
    hi = tl.zeros([BLOCK], COMPUTE)
    by_real = tl.zeros([BLOCK], COMPUTE)
    by_imag = tl.zeros([BLOCK], COMPUTE)
    for n in tl.range(0, CHUNKS, num_stages=4):
        at = ((CHUNKS - 1 - n if REVERSE else n) * E + k) * M + m
        low = at + (E // 2) * M
        added_r = tl.load(state + at, mask=inside, other=0)
        added_i = tl.load(state + low, mask=inside, other=0)
        tl.store(state + at, hr, mask=inside)
        tl.store(state + low, hi, mask=inside)
        if entering is not None:
            was_r = tl.load(entering + at, mask=inside, other=0)
            was_i = tl.load(entering + low, mask=inside, other=0)
            by_real += hr * was_r + hi * was_i
            by_imag += hi * was_r - hr * was_i
        real = ar * hr - ai * hi + added_r
        hi = ar * hi + ai * hr + added_i
        hr = real
    if by_fade is not None:
        tl.store(by_fade + k * M + m, by_real, mask=inside)
        tl.store(by_fade + (k + E // 2) * M + m, by_imag, mask=inside)


@triton.jit(do_not_specialize=["T", "B", "seed", "call", "site"])
def outputs_kernel(
    x,  # [T, B, N]: the input, or backwards the gradient of q
    h,  # [chunks, E, B, N]
    taps,  # [C, N]
    table,  # [C, E, N]
    bias,  # [N], or None backwards
    s,  # [T, B, N], or None backwards
    q,  # [T, B, N], or None: do not save
    dx,  # [T, B, N], or None forwards
    seed: "i64",
    call: "i64",
    site: "i64",
    T: "i64",
    B: "i64",
    N,
    C: tl.constexpr,
    E: tl.constexpr,
    REVERSE: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
    COMPUTE: tl.constexpr,
    PRECISION: tl.constexpr,
):
    n, column = _tile(N, BLOCK, COLUMNS)
    chunk, b = _split(column, B)
    chunks = (T + C - 1) // C
    top = tl.program_id(1) * ROWS
    i = top + tl.arange(0, ROWS)[None, :, None]
    total = tl.zeros([BLOCK, ROWS, COLUMNS], COMPUTE)
    for first in tl.range(top if REVERSE else 0, C if REVERSE else top + ROWS, 16, num_stages=STAGES):
        down, across = first + tl.arange(0, 16)[None, :, None], first + tl.arange(0, 16)[None, None, :]
        lag = across - i if REVERSE else i - across
        tap = tl.load(taps + lag.to(tl.int64) * N + n, mask=(lag >= 0) & (n < N), other=0).to(COMPUTE)
        x_t = _part(x, chunk, down, b, n, B, N, T, C, COMPUTE)
        total = tl.dot(tap, x_t, total, input_precision=PRECISION, out_dtype=COMPUTE)
    for first in tl.range(0, E, 16, num_stages=STAGES):
        down, across = first + tl.arange(0, 16)[None, :, None], first + tl.arange(0, 16)[None, None, :]
        way = tl.load(table + (i * E + across).to(tl.int64) * N + n, mask=(across < E) & (n < N), other=0)
        h_k = _part(h, chunk, down, b, n, B, N, chunks * E, E, COMPUTE)
        total = tl.dot(way.to(COMPUTE), h_k, total, input_precision=PRECISION, out_dtype=COMPUTE)
    t = chunk * C + i
    at = (t * B + b) * N + n
    there = (t < T) & (n < N)
    if REVERSE:
        tl.store(dx + at, total.to(dx.dtype.element_ty), mask=there)
    else:
        q_t = total + tl.load(bias + n, mask=n < N, other=0).to(COMPUTE)
        four = (chunk * C + top) // 4 + tl.arange(0, ROWS // 4)[None, :, None]
        w0, w1, w2, w3 = uniforms(seed, (four * B + b) * N + n, site, call)
        drawn = tl.join(tl.join(w0, w2), tl.join(w1, w3))  # [BLOCK, fours, COLUMNS, 2, 2]
        drawn = tl.permute(drawn, (0, 1, 3, 4, 2)).reshape(BLOCK, ROWS, COLUMNS)
        tl.store(s + at, (drawn.to(COMPUTE) < q_t).to(COMPUTE).to(s.dtype.element_ty), mask=there)
        if q is not None:
            tl.store(q + at, q_t, mask=there)


@triton.jit(do_not_specialize=["T", "B", "LIMIT"])
def products_kernel(
    left,  # [T, B, N]
    right,  # [T, B, N], or [chunks, E, B, N]
    out,  # [C, E, N]
    T: "i64",
    LIMIT: "i64",
    B: "i64",
    N,
    C: tl.constexpr,
    E: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
    COMPUTE: tl.constexpr,
    PRECISION: tl.constexpr,
):
    n = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)[:, None, None]
    i = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    j = tl.program_id(2) * ROWS + tl.arange(0, ROWS)
    chunks = (T + C - 1) // C
    total = tl.zeros([BLOCK, ROWS, ROWS], COMPUTE)
    for first in tl.range(0, (chunks * B).to(tl.int32), 16, num_stages=STAGES):
        column = first + tl.arange(0, 16)
        chunk, b = _split(column, B)
        a = _part(left, chunk[None, None, :], i[None, :, None], b[None, None, :], n, B, N, T, C, COMPUTE)
        c = _part(right, chunk[None, :, None], j[None, None, :], b[None, :, None], n, B, N, LIMIT, E, COMPUTE)
        total = tl.dot(a, c, total, input_precision=PRECISION, out_dtype=COMPUTE)
    at = (i[None, :, None] * E + j[None, None, :]).to(tl.int64) * N + n
    tl.store(out + at, total, mask=(j[None, None, :] < E) & (n < N))
