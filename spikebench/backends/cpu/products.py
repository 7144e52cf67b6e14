"""Products with a matrix over time, in blocks of rows that skip what the matrix does not see; and their operations."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from spikebench.case import Case

ROWS = 128  # of a block: fewer skip more above the diagonal, more make faster products


def _cut(steps: int, reach: int | None) -> Iterator[tuple[int, int]]:
    size = max(steps, 1) if reach is None else ROWS  # a full matrix has nothing to skip, and is fastest in one piece
    return ((lo, min(lo + size, steps)) for lo in range(0, steps, size))


def blocks(steps: int, reach: int | None) -> Iterator[tuple[int, int, int, int]]:
    """Rows lo to hi of a matrix over time, and the first and last column they see: `reach` steps, or all if it is None."""
    for lo, hi in _cut(steps, reach):
        yield (lo, hi, 0, steps) if reach is None else (lo, hi, max(0, lo - reach + 1), hi)


def columns(steps: int, reach: int | None) -> Iterator[tuple[int, int, int, int]]:
    """Columns lo to hi of the same matrix, and the first and last row that see them."""
    for lo, hi in _cut(steps, reach):
        yield (lo, hi, 0, steps) if reach is None else (lo, hi, lo, min(steps, hi + reach - 1))


def product(matrix: Tensor, x: Tensor, out: Tensor, reach: int | None) -> None:
    """matrix x into out [T, M]."""
    for lo, hi, first, last in blocks(len(x), reach):
        torch.mm(matrix[lo:hi, first:last], x[first:last], out=out[lo:hi])


def transposed(matrix: Tensor, e: Tensor, out: Tensor, reach: int | None, add: bool = False) -> None:
    """matrixᵀ e into out [T, M], or added to it."""
    for lo, hi, first, last in columns(len(e), reach):
        part = out[lo:hi]
        torch.addmm(part, matrix[first:last, lo:hi].t(), e[first:last], beta=int(add), out=part)


def outer(e: Tensor, x: Tensor, reach: int | None) -> Tensor:
    """e xᵀ [T, T], in blocks that no row of the matrix sees zero."""
    steps = len(x)
    out = e.new_zeros(steps, steps)
    for lo, hi, first, last in blocks(steps, reach):
        torch.mm(e[lo:hi], x[first:last].t(), out=out[lo:hi, first:last])
    return out


def operations(case: "Case", reach: int | None) -> int:
    """Multiplications and additions of a case's products: forward, and in training those of x's and the matrix's gradient."""
    rows, back = blocks(case.T, reach), columns(case.T, reach)
    forward, backward = (sum((hi - lo) * (last - first) for lo, hi, first, last in each) for each in (rows, back))
    pairs = 2 * forward + backward if case.mode == "train" else forward
    return 2 * pairs * case.B * case.N
