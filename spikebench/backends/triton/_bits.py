"""Spikes as bits on a GPU: packing, unpacking, and where kernels send them; `spikebench.numerics.bits` has the layout."""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import _launch
from spikebench.backends.triton._bits_linear import linear
from spikebench.numerics.bits import BITS, Packed, words_of

BLOCK = 128  # series a program of packing


class Sent(NamedTuple):
    """Where a neuron's kernel puts the spikes that the next layer gets: s [T, …], or words [⌈T/32⌉, …] of bits."""

    s: Tensor | None = None
    words: Tensor | None = None

    @staticmethod
    def of(x: Tensor, dtype: torch.dtype | None) -> "Sent":
        """Empty tensors for the spikes of x [T, …] in a dtype; None: as bits."""
        if dtype is None:
            return Sent(words=x.new_empty(words_of(len(x)), *x.shape[1:], dtype=torch.int32))
        return Sent(_launch.like(x, dtype))

    def given(self, x: Tensor) -> Tensor:
        """The spikes of x [T, …] as the next layer gets them."""
        if self.words is not None:
            return packed(self.words, x)
        assert self.s is not None
        return self.s


def pack(spikes: Tensor) -> Packed:
    """Spikes [T, …] held as bits; whatever is not 0 is a spike. It has no gradient."""
    spikes = _launch.series(spikes.detach())
    words = spikes.new_empty(words_of(len(spikes)), *spikes.shape[1:], dtype=torch.int32)
    _over_words(pack_kernel, spikes, words)
    return packed(words, spikes)


def unpack(spikes: Packed) -> Tensor:
    """The spikes as an ordinary tensor, without a gradient."""
    dense = spikes.words.new_empty(spikes.shape, dtype=spikes.dtype)
    _over_words(unpack_kernel, dense, spikes.words)
    return dense


def packed(words: Tensor, like: Tensor) -> Packed:
    """Spikes of the shape and dtype of a tensor [T, …] from their words, to be multiplied by `linear`."""
    return Packed(words, len(like), like.dtype, linear)


def rows_within(rows: int) -> int:
    """Steps of a tile, which must not straddle words. Raises Refused where they would."""
    if BITS % rows:
        raise Refused(f"rows={rows}: a word of spikes=bits holds 32 steps; take 1, 2, 4, 8, 16 or 32")
    return rows


def _over_words(kernel: Any, spikes: Tensor, words: Tensor) -> None:
    _launch.check(spikes)
    count = words.numel() // len(words)
    sizes = {"T": len(spikes), "M": count, "WORD": BITS, "BLOCK": BLOCK}
    _launch.launch(kernel, (_launch.cdiv(count, BLOCK), len(words)), 4, spikes, spikes=spikes, words=words, **sizes)


@triton.jit(do_not_specialize=["T"])
def pack_kernel(
    spikes,  # [T, M]
    words,  # [⌈T/32⌉, M]
    T: "i64",
    M,
    WORD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    k, inside = tl.program_id(1).to(tl.int64), m < M
    word = tl.zeros([BLOCK], tl.int32)
    for r in tl.static_range(WORD):
        t = k * WORD + r
        fired = tl.load(spikes + t * M + m, mask=inside & (t < T), other=0) != 0
        word = word | (fired.to(tl.int32) << r)
    tl.store(words + k * M + m, word, mask=inside)


@triton.jit(do_not_specialize=["T"])
def unpack_kernel(
    spikes,  # [T, M]
    words,  # [⌈T/32⌉, M]
    T: "i64",
    M,
    WORD: tl.constexpr,
    BLOCK: tl.constexpr,
):
    m = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    k, inside = tl.program_id(1).to(tl.int64), m < M
    word = tl.load(words + k * M + m, mask=inside, other=0)
    for r in tl.static_range(WORD):
        t = k * WORD + r
        fired = (word >> r & 1).to(tl.float32).to(spikes.dtype.element_ty)
        tl.store(spikes + t * M + m, fired, mask=inside & (t < T))
