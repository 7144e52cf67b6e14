"""SpikeSampler (s4d) fused: filter, probability, Philox and sample in one pass, gradients in two; or as products."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import _launch, _ssm_dot, _ssm_model
from spikebench.backends.triton._autograd import Gradients, Passes, Tensors, fused
from spikebench.backends.triton._bits import Sent
from spikebench.backends.triton._philox import next_noise, uniforms
from spikebench.neurons.spike_sampler import SpikeSampler
from spikebench.units import Count, Natural

if TYPE_CHECKING:
    from spikebench.cases.case import Case

MOST_STATE = 512
# per element and mode: tensors as wide as the input, and tensors of float32 at least, that are read or written
MOVES = {"inference": (2, 0), "forward": (2, 1), "train": (6, 3)}
NAMES = ("decay_real", "decay_imag", "weight_real", "weight_imag", "direct", "gain", "bias")


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case, or None."""
    reason = _not_diagonal(case.options["ssm"], case.options["state"])
    if case.parsed.all_how["form"] != "sequential":
        reason = reason or _no_chunks(case.parsed.all_how["chunk"])
    return reason or _launch.no_bytes(case) or _launch.refusal(case)


def moves(case: "Case") -> int:
    """Bytes that must move."""
    return _launch.moved(case, MOVES)


def operations(case: "Case") -> int:
    """Multiplications and additions of the form that a case takes."""
    how, trains = case.parsed.all_how, case.mode == "train"
    size = _ssm_model.Size(case.T, case.B, case.N, case.options["state"] // 2, how["chunk"], trains)
    count = {"sequential": _ssm_model.sequential_operations, "dot": _ssm_model.dot_operations}
    return count[_form(how["form"], size, how["precision"])](size)


def _form(asked: str, size: _ssm_model.Size, precision: str) -> str:
    """The form that is asked for; "auto": the one that is predicted to be faster on an H100."""
    return _ssm_model.best(size, precision) if asked == "auto" else asked


def run(
    neuron: SpikeSampler,
    x: Tensor,
    seed: int | None = None,
    *,
    spikes: Literal["same", "uint8"] = "same",
    form: Literal["sequential", "dot", "auto"] = "sequential",
    chunk: Count = 64,
    precision: Literal["ieee", "tf32x3", "tf32"] = "ieee",
    block: Natural = 0,
    warps: Annotated[int, "[0, 32]"] = 0,
    stages: Natural = 0,
) -> Tensor:
    """Spikes [T, B, N] in the dtype of x, or uint8 where no gradient is wanted.

    form: step by step, or as products of matrices over chunks of `chunk` steps (a multiple of 16), float32 multiplied
    with `precision`; auto: what `_ssm_model.py` predicts to be faster. float64 is always IEEE. block (neurons per program), warps, stages: kernel shape, 0: by the state.
    """
    if reason := _not_diagonal(neuron.ssm, 2 * neuron.a_log.numel()):
        raise Refused(reason)
    if form != "sequential" and (reason := _no_chunks(chunk)):
        raise Refused(reason)
    decay, weight = neuron.discrete()  # autograd carries their gradients to the parameters
    filters = (decay.real, decay.imag, weight.real, weight.imag, neuron.d, neuron.gain, neuron.bias)
    filters = tuple(p.contiguous() for p in filters)
    how = _ssm_dot.How(next_noise(neuron, seed), precision, block, warps, stages)
    learns = _launch.learns(x, filters)
    if _form(form, _ssm_model.Size(*x.shape, neuron.a_log.numel(), chunk, learns), precision) == "dot":
        made = _ssm_dot.tables(decay, weight, neuron.d, neuron.gain, chunk)
        return _ssm_dot.run(x, made, neuron.bias, how, spikes)
    return fused(PASSES, how, x, *filters, spikes=spikes)


def _not_diagonal(ssm: str, state: int) -> str | None:
    if ssm != "s4d":
        return f"the kernels compute ssm=s4d; ssm={ssm} has a dense state matrix"
    return None if state <= MOST_STATE else f"the kernels hold a state of at most {MOST_STATE}, not {state}"


def _no_chunks(chunk: int) -> str | None:
    return None if chunk > 0 and chunk % 16 == 0 else f"chunk={chunk} of form=dot must be a multiple of 16"


class _Sizes(TypedDict):
    """Sizes that every kernel takes: S complex pairs a neuron, in ROWS rows, a power of 2."""

    T: int
    B: int
    N: int
    S: int
    COMPUTE: tl.dtype
    ROWS: int
    BLOCK: int
    STAGES: int


def _plan(x: Tensor, pairs: int, how: _ssm_dot.How) -> tuple[tuple[int, int], int, _Sizes]:
    """Grid, warps and sizes: a thread holds 8 of a neuron's pairs, so that sums over them stay inside a warp."""
    rows = triton.next_power_of_2(pairs)
    block = how.block or max(1, min(32, 256 // rows))
    steps, batch, neurons = x.shape
    return (
        (_launch.cdiv(neurons, block), batch),
        how.warps or 1,
        {
            "T": steps,
            "B": batch,
            "N": neurons,
            "S": pairs,
            "COMPUTE": _launch.COMPUTE[x.dtype],
            "ROWS": rows,
            "BLOCK": block,
            "STAGES": how.stages or 6,
        },
    )


def _forward(
    how: _ssm_dot.How, x: Tensor, filters: Tensors, sent: Sent, wanted: tuple[bool, ...] | None
) -> tuple[Gradients, None]:
    """Spikes to where they are sent. Kept are x and the probability before it is clamped."""
    q = None if wanted is None else torch.empty_like(x, dtype=_launch.wide(x.dtype))
    grid, warps, sizes = _plan(x, filters[0].shape[0], how)
    named = dict(zip(NAMES, filters, strict=True))
    _launch.launch(forward_kernel, grid, warps, x, x=x, s=sent.s, q=q, **named, **how.noise._asdict(), **sizes)
    return (x, q), None


def _backward(
    how: _ssm_dot.How, known: None, g: Tensor, kept: Gradients, filters: Tensors, wanted: tuple[bool, ...]
) -> Gradients:
    """Gradients of x and the filters."""
    x, q = kept
    assert x is not None and q is not None
    grid, warps, sizes = _plan(x, filters[0].shape[0], how)
    named = dict(zip(NAMES, filters, strict=True))
    dx = torch.empty_like(x)
    _launch.launch(backward_kernel, grid, warps, g, g=g, q=q, dx=dx, **named, **sizes)
    if not any(wanted[1:]):
        return dx, *(None for _ in filters)
    states = q.new_empty(4, x.shape[1], sizes["S"], x.shape[2])
    scalars = q.new_empty(3, x.shape[1], x.shape[2])
    parts = {"states": states, "scalars": scalars}
    _launch.launch(parameters_kernel, grid, warps, g, g=g, q=q, x=x, **parts, **named, **sizes)
    h, slope = (torch.complex(*states[n : n + 2].sum(1)) for n in (0, 2))
    slope = 2 * torch.complex(filters[2], filters[3]) * slope
    by_scalar = (total.to(p.dtype) for total, p in zip(scalars.sum(1), filters[4:], strict=True))
    return dx, slope.real, -slope.imag, 2 * h.real, -2 * h.imag, *by_scalar


def remade(
    spec: tuple[Any, ...], further: Tensors, numbers: Sequence[float], number: int
) -> Callable[[Tensor], Tensor]:
    """The function of x that the operator names."""
    return _ssm_dot.again(PASSES, spec, further, number)


PASSES = Passes(_forward, _backward, partial(_ssm_dot.spec, module=__name__))


@triton.jit
def _filters(decay_real, decay_imag, weight_real, weight_imag, n, N, S: tl.constexpr, ROWS: tl.constexpr):
    """Decay and weight, real and imaginary [ROWS, BLOCK]; zero outside."""
    k = tl.arange(0, ROWS)
    at = k[:, None] * N + n[None, :]
    there = (k[:, None] < S) & (n[None, :] < N)
    return (
        tl.load(decay_real + at, mask=there, other=0),
        tl.load(decay_imag + at, mask=there, other=0),
        tl.load(weight_real + at, mask=there, other=0),
        tl.load(weight_imag + at, mask=there, other=0),
    )


@triton.jit(do_not_specialize=["T", "B", "seed", "call", "site"])
def forward_kernel(
    x,  # [T, B, N]
    s,  # [T, B, N]
    q,  # [T, B, N], or None: do not save
    decay_real,  # [S, N], as the next three
    decay_imag,
    weight_real,
    weight_imag,
    direct,  # [N], as the next two
    gain,
    bias,
    seed: "i64",
    call: "i64",
    site: "i64",
    T: "i64",
    B: "i64",
    N,
    S: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = n < N
    M = B * N
    m = tl.program_id(1).to(tl.int64) * N + n
    ar, ai, wr, wi = _filters(decay_real, decay_imag, weight_real, weight_imag, n, N, S, ROWS)
    d = tl.load(direct + n, mask=inside, other=0).to(COMPUTE)
    slope = tl.load(gain + n, mask=inside, other=0).to(COMPUTE)
    shift = tl.load(bias + n, mask=inside, other=0).to(COMPUTE)
    hr = tl.zeros([ROWS, BLOCK], COMPUTE)
    hi = tl.zeros([ROWS, BLOCK], COMPUTE)
    for four in tl.range(0, (T + 3) // 4, num_stages=STAGES):
        drawn = uniforms(seed, four * M + m, site, call)
        for j in tl.static_range(4):
            at = (four * 4 + j) * M + m
            there = inside & (four * 4 + j < T)
            x_t = tl.load(x + at, mask=there, other=0).to(COMPUTE)
            real = ar * hr - ai * hi + x_t[None, :]
            hi = ar * hi + ai * hr
            hr = real
            y = 2 * tl.sum(wr * hr - wi * hi, axis=0) + d * x_t
            q_t = slope * y + shift
            tl.store(s + at, (drawn[j].to(COMPUTE) < q_t).to(COMPUTE).to(s.dtype.element_ty), mask=there)
            if q is not None:
                tl.store(q + at, q_t, mask=there)


@triton.jit(do_not_specialize=["T", "B"])
def backward_kernel(
    g,  # [T, B, N]
    q,  # [T, B, N]
    dx,  # [T, B, N]
    decay_real,
    decay_imag,
    weight_real,
    weight_imag,
    direct,
    gain,
    bias,
    T: "i64",
    B: "i64",
    N,
    S: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = n < N
    M = B * N
    m = tl.program_id(1).to(tl.int64) * N + n
    ar, ai, wr, wi = _filters(decay_real, decay_imag, weight_real, weight_imag, n, N, S, ROWS)
    d = tl.load(direct + n, mask=inside, other=0).to(COMPUTE)
    slope = tl.load(gain + n, mask=inside, other=0).to(COMPUTE)
    hr = tl.zeros([ROWS, BLOCK], COMPUTE)
    hi = tl.zeros([ROWS, BLOCK], COMPUTE)
    for back in tl.range(0, T, num_stages=4 * STAGES):
        at = (T - 1 - back) * M + m
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        q_t = tl.load(q + at, mask=inside, other=0)
        dy = slope * tl.where((q_t >= 0) & (q_t <= 1), g_t, 0)
        real = ar * hr - ai * hi + dy[None, :]
        hi = ar * hi + ai * hr
        hr = real
        out = 2 * tl.sum(wr * hr - wi * hi, axis=0) + d * dy
        tl.store(dx + at, out.to(dx.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["T", "B"])
def parameters_kernel(
    g,  # [T, B, N]
    q,  # [T, B, N]
    x,  # [T, B, N]
    states,  # [4, B, S, N]: Σ dL/dy·h and Σ dL/dy·∂h/∂decay, real and imaginary
    scalars,  # [3, B, N]: gradients of direct, gain and bias
    decay_real,
    decay_imag,
    weight_real,
    weight_imag,
    direct,
    gain,
    bias,
    T: "i64",
    B: "i64",
    N,
    S: tl.constexpr,
    COMPUTE: tl.constexpr,
    ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
    STAGES: tl.constexpr,
):
    n = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = n < N
    M = B * N
    b = tl.program_id(1).to(tl.int64)
    m = b * N + n
    ar, ai, wr, wi = _filters(decay_real, decay_imag, weight_real, weight_imag, n, N, S, ROWS)
    d = tl.load(direct + n, mask=inside, other=0).to(COMPUTE)
    slope = tl.load(gain + n, mask=inside, other=0).to(COMPUTE)
    hr = tl.zeros([ROWS, BLOCK], COMPUTE)
    hi = tl.zeros([ROWS, BLOCK], COMPUTE)
    kr = tl.zeros([ROWS, BLOCK], COMPUTE)  # ∂h/∂decay
    ki = tl.zeros([ROWS, BLOCK], COMPUTE)
    by_hr = tl.zeros([ROWS, BLOCK], COMPUTE)
    by_hi = tl.zeros([ROWS, BLOCK], COMPUTE)
    by_kr = tl.zeros([ROWS, BLOCK], COMPUTE)
    by_ki = tl.zeros([ROWS, BLOCK], COMPUTE)
    by_direct = tl.zeros([BLOCK], COMPUTE)
    by_gain = tl.zeros([BLOCK], COMPUTE)
    by_bias = tl.zeros([BLOCK], COMPUTE)
    for t in tl.range(0, T, num_stages=4 * STAGES):
        at = t * M + m
        x_t = tl.load(x + at, mask=inside, other=0).to(COMPUTE)
        g_t = tl.load(g + at, mask=inside, other=0).to(COMPUTE)
        q_t = tl.load(q + at, mask=inside, other=0)
        e = tl.where((q_t >= 0) & (q_t <= 1), g_t, 0)
        dy = slope * e
        real = ar * kr - ai * ki + hr
        ki = ar * ki + ai * kr + hi
        kr = real
        real = ar * hr - ai * hi + x_t[None, :]
        hi = ar * hi + ai * hr
        hr = real
        by_hr += dy[None, :] * hr
        by_hi += dy[None, :] * hi
        by_kr += dy[None, :] * kr
        by_ki += dy[None, :] * ki
        by_direct += dy * x_t
        by_gain += e * (2 * tl.sum(wr * hr - wi * hi, axis=0) + d * x_t)
        by_bias += e
    k = tl.arange(0, ROWS)
    at = (b * S + k[:, None]) * N + n[None, :]
    there = (k[:, None] < S) & (n[None, :] < N)
    tl.store(states + at, by_hr, mask=there)
    tl.store(states + M * S + at, by_hi, mask=there)
    tl.store(states + 2 * M * S + at, by_kr, mask=there)
    tl.store(states + 3 * M * S + at, by_ki, mask=there)
    tl.store(scalars + m, by_direct, mask=inside)
    tl.store(scalars + M + m, by_gain, mask=inside)
    tl.store(scalars + 2 * M + m, by_bias, mask=inside)
