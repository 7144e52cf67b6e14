"""Products with a matrix over time, in blocks of rows that skip what the matrix does not see; and their operations.

A triangle of T steps has ⌊log₂(T/64)⌋ + 1 blocks, so that operators grow as those of a scan by doubling.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from spikebench.cases.case import Case

ROWS = 128  # of a block of a band: fewer skip more of what it does not see, more make faster products
SHORTEST = 64  # steps of a triangle from which on it has two blocks


def length(steps: int, reach: int | None) -> int:
    """Rows of a block. A full matrix is one block; a triangle has one more whenever its steps double."""
    if reach is None:
        return max(steps, 1)
    if reach < steps:
        return ROWS
    return max(-(-steps // max((steps // SHORTEST).bit_length(), 1)), 1)


def _cut(steps: int, reach: int | None) -> Iterator[tuple[int, int]]:
    size = length(steps, reach)
    return ((lo, min(lo + size, steps)) for lo in range(0, steps, size))


def blocks(steps: int, reach: int | None) -> Iterator[tuple[int, int, int, int]]:
    """Rows lo to hi of a matrix over time, and the first and last column they see: `reach` steps, or all if it is None."""
    for lo, hi in _cut(steps, reach):
        yield (lo, hi, 0, steps) if reach is None else (lo, hi, max(0, lo - reach + 1), hi)


def columns(steps: int, reach: int | None) -> Iterator[tuple[int, int, int, int]]:
    """Columns lo to hi of the same matrix, and the first and last row that see them."""
    for lo, hi in _cut(steps, reach):
        yield (lo, hi, 0, steps) if reach is None else (lo, hi, lo, min(steps, hi + reach - 1))


def pieces(*arrays: Tensor, reach: int | None) -> list[tuple[Tensor, ...]]:
    """The blocks of rows of each array, one operator an array."""
    return [a.split(length(len(a), reach)) if len(a) else () for a in arrays]


def product(matrix: Tensor, x: Tensor, out: Tensor, reach: int | None) -> None:
    """matrix x into out [T, M]."""
    for part, block, (_, _, first, last) in zip(*pieces(out, matrix, reach=reach), blocks(len(x), reach), strict=True):
        torch.mm(block[:, first:last], x[first:last], out=part)


def transposed(matrix: Tensor, e: Tensor, out: Tensor, reach: int | None, add: bool = False) -> None:
    """matrixᵀ e into out [T, M], or added to it."""
    cut = columns(len(e), reach)
    for part, block, (_, _, first, last) in zip(*pieces(out, matrix.t(), reach=reach), cut, strict=True):
        torch.addmm(part, block[:, first:last], e[first:last], beta=int(add), out=part)


def outer(e: Tensor, x: Tensor, reach: int | None) -> Tensor:
    """e xᵀ [T, T], in blocks that no row of the matrix sees zero."""
    steps, turned = len(x), x.t()
    out = e.new_zeros(steps, steps)
    for part, block, (_, _, first, last) in zip(*pieces(out, e, reach=reach), blocks(steps, reach), strict=True):
        torch.mm(block, turned[:, first:last], out=part[:, first:last])
    return out


def operations(case: "Case", reach: int | None) -> int:
    """Multiplications and additions of a case's products: forward, and in training those of x's and the matrix's gradient."""
    rows, back = blocks(case.T, reach), columns(case.T, reach)
    forward, backward = (sum((hi - lo) * (last - first) for lo, hi, first, last in each) for each in (rows, back))
    pairs = 2 * forward + backward if case.mode == "train" else forward
    return 2 * pairs * case.B * case.N
