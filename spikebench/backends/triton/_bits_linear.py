"""A Linear that reads spikes as bits, with its gradients; `spikebench.numerics.bits` has the layout.

A tile of the Linear takes the words of some rows (a word of 32 steps, an item of the batch) for some neurons, and spreads
each into 32 rows of zeros and ones. So spikes cross memory as bits, and are numbers only in registers.

    y_tbo = Σ_n W_on·s_tbn + bias_o,    dL/dW_on = Σ_tb dL/dy_tbo·s_tbn,    dL/ds = dL/dy W

Products with 0 and 1 are exact on tensor cores, too: a float32 number is the sum of three bfloat16 numbers, which hold 8 of
its 24 bits each. These are multiplied one after the other and added up in float32, so that nothing is rounded but the sums,
as in a product of float32 numbers. dL/ds has no spikes in it and is torch's product.
"""

from typing import Any, TypedDict

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import _launch
from spikebench.backends.triton._operator import once
from spikebench.numerics.bits import BITS, Packed

ROWS, OUT, IN = 2, 64, 32  # of a tile: words of a neuron, outputs, and neurons or, of a weight's gradient, more outputs
PROGRAMS = 528  # that fill a GPU of 132 multiprocessors four times; sums over words are cut until there are so many
PARTS = {
    torch.float64: 0,
    torch.float32: 3,
    torch.bfloat16: 1,
    torch.float16: 1,
}  # bfloat16 numbers that hold one of a dtype; 1: it is multiplied as it is, 0: so in IEEE arithmetic


def linear(spikes: Packed, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """torch.nn.functional.linear of packed spikes [T, …, N], with its gradients: y [T, …, O] in the dtype of the weight."""
    _launch.check(weight)
    if weight.shape[1] != spikes.shape[-1]:
        raise Refused(f"a weight {list(weight.shape)} takes {weight.shape[1]} neurons, not {spikes.shape[-1]}")
    return _Linear.apply(spikes, weight, bias)  # pyright: ignore[reportReturnType]  # untyped in torch


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, spikes: Packed, weight: Tensor, bias: Tensor | None) -> Tensor:
        words, steps = _rows(spikes), len(spikes)
        ctx.save_for_backward(words, weight)
        ctx.shape, ctx.dtype = spikes.shape, spikes.dtype
        out = weight.new_empty(steps, words.shape[1], weight.shape[0])
        sizes = _sizes(steps, words, weight)
        grid = (_launch.cdiv(sizes["OUTPUTS"], OUT), _launch.cdiv(words.shape[0] * words.shape[1], ROWS))
        given = {"words": words, "weight": weight.contiguous(), "bias": bias, "out": out}
        _launch.launch(product_kernel, grid, 4, weight, **given, **sizes)
        return out.view(*spikes.shape[:-1], weight.shape[0])

    @staticmethod
    @once
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        words, weight = ctx.saved_tensors
        by_spikes, by_weight, by_bias = ctx.needs_input_grad
        g = grad.reshape(len(grad), -1, weight.shape[0]).contiguous()
        ds = (grad @ weight).to(ctx.dtype) if by_spikes else None
        dw = _by_weight(g, words, weight) if by_weight else None
        return ds, dw, g.sum((0, 1)) if by_bias else None


def _rows(spikes: Packed) -> Tensor:
    """The words as [⌈T/32⌉, B, N]."""
    return spikes.words.reshape(len(spikes.words), -1, spikes.shape[-1])


class _Sizes(TypedDict):
    """What both products take: sizes of the layer and of a tile, and how numbers of the weight's dtype are multiplied."""

    T: int
    B: int
    N: int
    OUTPUTS: int
    WORD: int
    ROWS: int
    OUT: int
    IN: int
    PARTS: int
    WIDEN: bool
    COMPUTE: tl.dtype


def _sizes(steps: int, words: Tensor, weight: Tensor) -> _Sizes:
    """Those of words [⌈T/32⌉, B, N] and a weight [O, N]."""
    return {
        "T": steps,
        "B": words.shape[1],
        "N": words.shape[2],
        "OUTPUTS": weight.shape[0],
        "WORD": BITS,
        "ROWS": ROWS,
        "OUT": OUT,
        "IN": IN,
        "PARTS": PARTS[weight.dtype],
        "WIDEN": _launch.interpreted(),  # triton's interpreter multiplies the bits of bfloat16 as integers
        "COMPUTE": _launch.COMPUTE[weight.dtype],
    }


def _by_weight(g: Tensor, words: Tensor, weight: Tensor) -> Tensor:
    """dL/dW [O, N], as a sum over parts of the words that are computed at once."""
    sizes = _sizes(len(g), words, weight)
    tiles = _launch.cdiv(sizes["OUTPUTS"], OUT), _launch.cdiv(sizes["N"], IN)
    count = _launch.cdiv(words.shape[0] * words.shape[1], ROWS)
    cuts = max(1, min(count, PROGRAMS // (tiles[0] * tiles[1])))
    each = _launch.cdiv(count, cuts)
    cuts = _launch.cdiv(count, each)
    out = g.new_empty(cuts, *weight.shape, dtype=_launch.wide(g.dtype))
    given = {"g": g, "words": words, "out": out, "EACH": each}
    _launch.launch(by_weight_kernel, (*tiles, cuts), 4, g, **given, **sizes)
    return out.sum(0).to(weight.dtype)


@triton.jit
def _spread(words, row, n, rows, N, WORD: tl.constexpr, ROWS: tl.constexpr, IN: tl.constexpr, dtype: tl.constexpr):
    """Spikes [ROWS·32, IN] as numbers: a word's steps follow one another."""
    there = (row[:, None] < rows) & (n[None, :] < N)
    word = tl.load(words + row[:, None] * N + n[None, :], mask=there, other=0)
    place = tl.arange(0, WORD)[None, :, None]
    return (word[:, None, :] >> place & 1).reshape(ROWS * WORD, IN).to(tl.float32).to(dtype)


@triton.jit
def _times(total, left, right, SPIKES: tl.constexpr, PARTS: tl.constexpr, WIDEN: tl.constexpr):
    """total + left·right, one of which is spikes: "left" or "right"; the other one is cut into PARTS numbers of 8 bits."""
    if PARTS == 0:
        total = tl.dot(left, right, total, input_precision="ieee", out_dtype=total.dtype)
    else:
        rest = right if SPIKES == "left" else left
        for _ in tl.static_range(PARTS):
            part = rest.to(tl.bfloat16) if PARTS > 1 else rest
            rest = rest - part.to(rest.dtype) if PARTS > 1 else rest
            first, second = (left, part) if SPIKES == "left" else (part, right)
            if WIDEN:
                first, second = first.to(tl.float32), second.to(tl.float32)
            total = tl.dot(first, second, total, input_precision="ieee")
    return total


@triton.jit
def _places(row, B, T, WORD: tl.constexpr, ROWS: tl.constexpr):
    """Where the steps of rows stand in [T·B, …], and which there are."""
    t = (row // B * WORD)[:, None] + tl.arange(0, WORD)[None, :]
    at = t * B + (row % B)[:, None]
    return at.reshape(ROWS * WORD), (t < T).reshape(ROWS * WORD)


@triton.jit(do_not_specialize=["T", "B"])
def product_kernel(
    words,  # [⌈T/32⌉, B, N]
    weight,  # [O, N]
    bias,  # [O], or None
    out,  # [T, B, O]
    T: "i64",
    B: "i64",
    N,
    OUTPUTS,
    WORD: tl.constexpr,
    ROWS: tl.constexpr,
    OUT: tl.constexpr,
    IN: tl.constexpr,
    PARTS: tl.constexpr,
    WIDEN: tl.constexpr,
    COMPUTE: tl.constexpr,
):
    o = tl.program_id(0) * OUT + tl.arange(0, OUT)
    row = tl.program_id(1).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    rows = (T + WORD - 1) // WORD * B
    total = tl.zeros([ROWS * WORD, OUT], COMPUTE)
    for first in range(0, N, IN):
        n = first + tl.arange(0, IN)
        s = _spread(words, row, n, rows, N, WORD, ROWS, IN, tl.bfloat16 if PARTS > 1 else weight.dtype.element_ty)
        there = (n[:, None] < N) & (o[None, :] < OUTPUTS)
        w = tl.load(weight + o[None, :].to(tl.int64) * N + n[:, None], mask=there, other=0)
        total = _times(total, s, w, "left", PARTS, WIDEN)
    if bias is not None:
        total += tl.load(bias + o, mask=o < OUTPUTS, other=0).to(COMPUTE)[None, :]
    at, there = _places(row, B, T, WORD, ROWS)
    inside = there[:, None] & (o[None, :] < OUTPUTS)
    tl.store(out + at[:, None] * OUTPUTS + o[None, :], total.to(out.dtype.element_ty), mask=inside)


@triton.jit(do_not_specialize=["T", "B", "EACH"])
def by_weight_kernel(
    g,  # [T, B, O]
    words,  # [⌈T/32⌉, B, N]
    out,  # [cuts, O, N]
    T: "i64",
    B: "i64",
    N,
    OUTPUTS,
    EACH: "i64",
    WORD: tl.constexpr,
    ROWS: tl.constexpr,
    OUT: tl.constexpr,
    IN: tl.constexpr,
    PARTS: tl.constexpr,
    WIDEN: tl.constexpr,
    COMPUTE: tl.constexpr,
):
    o = tl.program_id(0) * OUT + tl.arange(0, OUT)
    n = tl.program_id(1) * IN + tl.arange(0, IN)
    cut = tl.program_id(2).to(tl.int64)
    rows = (T + WORD - 1) // WORD * B
    total = tl.zeros([OUT, IN], COMPUTE)
    for step in range(0, EACH):
        row = (cut * EACH + step) * ROWS + tl.arange(0, ROWS)
        s = _spread(words, row, n, rows, N, WORD, ROWS, IN, tl.bfloat16 if PARTS > 1 else g.dtype.element_ty)
        at, there = _places(row, B, T, WORD, ROWS)
        inside = there[None, :] & (o[:, None] < OUTPUTS)
        g_t = tl.load(g + at[None, :] * OUTPUTS + o[:, None], mask=inside, other=0)
        total = _times(total, g_t, s, "right", PARTS, WIDEN)
    at = (cut * OUTPUTS + o[:, None]) * N + n[None, :]
    tl.store(out + at, total, mask=(o[:, None] < OUTPUTS) & (n[None, :] < N))
