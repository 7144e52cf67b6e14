"""The step between two passes of a scan over chunks of time: the state at every chunk's border."""

from typing import Any

import torch
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
    sizes: dict[str, Any] = {"C": chunks, "M": count, "REVERSE": reverse, "BLOCK": block}
    arguments = {"first": first, "second": second, "out": out, **varying, **fixed, **sizes}
    wide = tl.float64 if first.dtype == torch.float64 else tl.float32
    _launch.launch(carry_kernel, (triton.cdiv(count, block),), 1, first, **arguments, COMPUTE=wide)
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
