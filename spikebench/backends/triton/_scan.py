"""The step between two passes of a scan over chunks of time: the state at every chunk's border."""

import triton
import triton.language as tl
from torch import Tensor

from spikebench.backends.triton import _launch


def carry(
    first: Tensor, second: Tensor | None, factors: tuple[Tensor | float, Tensor | float, float], reverse: bool
) -> Tensor:
    """The state that enters every chunk, [2, chunks, M], from what each chunk makes of a zero state.

    p' = P + f₀·p,  q' = Q + f₁·p + f₂·q  over the chunks, backwards in time if `reverse`, from zero; first and second
    are P and Q [chunks, M], f₀ and f₁ scalars or [chunks, M]. Without second only p is computed, [1, chunks, M].
    """
    chunks, count = first.shape
    out = first.new_empty(1 if second is None else 2, chunks, count)
    block = 32 if count < 1 << 14 else 128
    varying = {f"f{n}_at": f if isinstance(f, Tensor) else None for n, f in enumerate(factors[:2])}
    fixed = {f"f{n}": 0.0 if isinstance(f, Tensor) else f for n, f in enumerate(factors)}
    sizes = {"C": chunks, "M": count, "REVERSE": reverse, "BLOCK": block}
    given = {
        "first": first,
        "second": second,
        "out": out,
        **varying,
        **fixed,
        **sizes,
        "COMPUTE": _launch.COMPUTE[first.dtype],
    }
    _launch.launch(carry_kernel, (_launch.cdiv(count, block),), 1, first, **given)
    return out


@triton.jit(do_not_specialize=["C"])
def carry_kernel(
    first,  # [C, M]
    second,  # [C, M], or None
    out,  # [2, C, M]
    f0_at,
    f1_at,
    f0: "fp64",
    f1: "fp64",
    f2: "fp64",
    C: "i64",
    M,
    REVERSE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    p = tl.zeros([BLOCK], COMPUTE)
    q = tl.zeros([BLOCK], COMPUTE)
    fade = tl.full([], f2, COMPUTE)
    for n in tl.range(0, C, num_stages=8):
        at = (C - 1 - n if REVERSE else n) * M + m
        tl.store(out + at, p, mask=inside)
        if second is not None:
            tl.store(out + C * M + at, q, mask=inside)
            b = tl.full([], f1, COMPUTE) if f1_at is None else tl.load(f1_at + at, mask=inside, other=0)
            q = tl.load(second + at, mask=inside, other=0) + b * p + fade * q
        a = tl.full([], f0, COMPUTE) if f0_at is None else tl.load(f0_at + at, mask=inside, other=0)
        p = tl.load(first + at, mask=inside, other=0) + a * p


def chained(ends: Tensor, state: Tensor, which: str, reverse: bool) -> None:
    """The states that enter every chunk into state [2, chunks, M], from the chunks' maps, ends [6, chunks, M].

    p' = P + f_pp·p + f_pq·q,  q' = Q + f_qp·p + f_qq·q  over the chunks, backwards in time if `reverse`, from zero;
    ends are P, Q, f_pp, f_qp, f_pq, f_qq. which: "pq", or "p" or "q" if the other one is not to be touched.
    """
    _, chunks, count = ends.shape
    block = 32 if count < 1 << 14 else 128
    sizes = {"C": chunks, "M": count, "WHICH": which, "REVERSE": reverse, "BLOCK": block}
    grid = (_launch.cdiv(count, block),)
    _launch.launch(chained_kernel, grid, 1, ends, ends=ends, state=state, **sizes, COMPUTE=_launch.COMPUTE[ends.dtype])


@triton.jit(do_not_specialize=["C"])
def chained_kernel(
    ends,  # [6, C, M]
    state,  # [2, C, M]
    C: "i64",
    M,
    WHICH: tl.constexpr,
    REVERSE: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = m < M
    size = C * M
    p = tl.zeros([BLOCK], COMPUTE)
    q = tl.zeros([BLOCK], COMPUTE)
    for n in tl.range(0, C, num_stages=4):
        at = (C - 1 - n if REVERSE else n) * M + m
        p_end = tl.load(ends + at, mask=inside, other=0)
        q_end = tl.load(ends + size + at, mask=inside, other=0)
        p_p = tl.load(ends + 2 * size + at, mask=inside, other=0)
        q_p = tl.load(ends + 3 * size + at, mask=inside, other=0)
        p_q = tl.load(ends + 4 * size + at, mask=inside, other=0)
        q_q = tl.load(ends + 5 * size + at, mask=inside, other=0)
        if WHICH != "q":
            tl.store(state + at, p, mask=inside)
        if WHICH != "p":
            tl.store(state + size + at, q, mask=inside)
        p, q = p_end + p_p * p + p_q * q, q_end + q_p * p + q_q * q
