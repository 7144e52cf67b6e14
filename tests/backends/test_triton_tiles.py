"""Kernels on tiles of time: interpreted in a process of their own against loops of steps, and compiled without a GPU."""
# ruff: noqa: ANN001, ANN201, E402  # an annotation in a kernel is a command; what is imported last needs triton
# what Triton reads is no type:
# pyright: reportInvalidTypeForm=false, reportUndefinedVariable=false, reportGeneralTypeIssues=false

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

triton, tl = pytest.importorskip("triton"), pytest.importorskip("triton.language")

from spikebench.backends.triton import _launch, _tile

INTERPRETED = _launch.interpreted()
interpreted = pytest.mark.skipif(not INTERPRETED, reason="runs in the process that test_interpreted starts")
compiled = pytest.mark.skipif(INTERPRETED, reason="compiling needs triton as it is")


@triton.jit(do_not_specialize=["T"])
def sums_kernel(x, out, T, M, REVERSE: tl.constexpr, R: tl.constexpr, BLOCK: tl.constexpr, STAGES: tl.constexpr):
    """y_t = y_{t-1}/2 + x_t, forwards or backwards in time."""
    m, inside, width = _tile.series(M, BLOCK)
    y = tl.zeros([BLOCK], tl.float64)
    sign = -1 if REVERSE else 1
    t = (tl.cdiv(T, R) - 1) * R if REVERSE else T * 0
    ahead = _tile.load(x, t * width + m, _tile.rows(t, 0, T, inside, R), width, R)
    for _ in tl.range(0, T, R, num_stages=STAGES):
        at, there = t * width + m, _tile.rows(t, 0, T, inside, R)
        t += sign * R
        xs, ahead = _tile.turn(ahead, x, at, there, t * width + m, _tile.rows(t, 0, T, inside, R), width, R, STAGES)
        ys = ()
        for r in tl.static_range(R):
            y = y / 2 + xs[R - 1 - r if REVERSE else r]
            ys += (y,)
        _tile.store(out, at, there, width, _tile.reverse(ys, R) if REVERSE else ys, R)


@interpreted
@pytest.mark.parametrize("rows", [1, 2, 8, 16])
@pytest.mark.parametrize("steps, count", [(1, 1), (13, 33), (16, 32), (35, 50)])
@pytest.mark.parametrize("reverse, stages", [(False, 1), (True, 1), (True, 4)])
def test_tiles_carry_a_state_through_any_number_of_steps(
    rows: int, steps: int, count: int, reverse: bool, stages: int
) -> None:
    x = torch.randn(steps, count, dtype=torch.float64)
    out = torch.full((steps + 1, count), 7.0, dtype=torch.float64)
    sums_kernel[(triton.cdiv(count, 32),)](x, out, steps, count, reverse, rows, 32, stages)
    y, expected = torch.zeros(count, dtype=torch.float64), torch.full_like(out, 7.0)
    for t in range(steps - 1, -1, -1) if reverse else range(steps):
        y = y / 2 + x[t]
        expected[t] = y
    assert torch.equal(out, expected)


@pytest.mark.timeout(120)
@compiled
def test_interpreted() -> None:
    """The tests above in a process of their own: triton chooses between compiling and interpreting when it is imported."""
    environment = os.environ | {"TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], env=environment)
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout[-8000:]
