"""Kernels on tiles of time: interpreted in a process of their own against loops of steps, and compiled without a GPU."""
# ruff: noqa: ANN001, ANN201, E402  # an annotation in a kernel is a command; what is imported last needs triton
# what Triton reads is no type:
# pyright: reportInvalidTypeForm=false, reportUndefinedVariable=false, reportGeneralTypeIssues=false

from typing import Any

import pytest
import torch

triton, tl = pytest.importorskip("triton"), pytest.importorskip("triton.language")

from interpreted_triton import LEARN, agree, current
from interpreting import Interpreted

from spikebench.backend import Refused
from spikebench.backends.triton import _launch, _tile, lif
from spikebench.neurons.lif import LIF

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
@pytest.mark.parametrize("rows", [1, 2, 8])
@pytest.mark.parametrize("steps, count", [(1, 1), (13, 33), (16, 32)])
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


OPTIONS: list[dict[str, Any]] = [
    {"reset": "none", "surrogate": "triangle", **LEARN},
    {"reset": "hard", "surrogate": "sigmoid", "input_scale": "1-decay", "synapse_decay": 0.7, **LEARN},
    {"reset": "hard", "detach_reset": True, "strict": True, "synapse_decay": 0.8, "surrogate": "fast_sigmoid"},
    {"detach_reset": True, "threshold": 0.1, "input_scale": "1-decay", "surrogate": "exponential", **LEARN},
    {"reset_delay": True, **LEARN},
]
HOW: list[dict[str, Any]] = [
    {"rows": 1, "stages": 4},
    {"rows": 4, "stages": 2, "chunk": 8, "save": "checkpoints"},
    {"rows": 8, "save": "checkpoints"},
    {"rows": 16, "chunk": 4, "save": "checkpoints"},
    {"rows": 16, "chunk": 12},
    {"rows": 32, "save": "checkpoints"},
]


@interpreted
@pytest.mark.parametrize("how, options", [(HOW[n % 6], OPTIONS[n % 5]) for n in range(12)])
def test_lif_on_any_tiles_is_the_definition(how: dict[str, Any], options: dict[str, Any]) -> None:
    x, g = current(torch.float64, 0.5 if options.get("input_scale") else 0.2, (19, 3, 11))
    agree(lif.run, LIF(**options), x, g, block=32, **how)


@interpreted
@pytest.mark.parametrize("steps, rows", [(1, 32), (17, 16), (8, 8)])
def test_checkpoints_replay_the_spikes_that_were_sent(steps: int, rows: int) -> None:
    """In float32, and with inputs where u lies on the threshold or beside it: the bits decide, not the replay."""
    x, g = current(torch.float32, 0.3, (steps, 1, 37))
    x = ((x.detach() * 8).round() / 8 + 1e-7 * (torch.arange(37) % 3)).requires_grad_()
    neuron = LIF(decay=0.5)
    (replayed,) = torch.autograd.grad(lif.run(neuron, x, save="checkpoints", rows=rows), x, g)
    (saved,) = torch.autograd.grad(lif.run(neuron, x), x, g)
    assert torch.allclose(replayed, saved, rtol=0, atol=1e-5 * float(saved.abs().max()))


@interpreted
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_replayed_in_float32(dtype: torch.dtype) -> None:
    x, g = current(torch.float32, 0.2, (19, 1, 33))
    x, g = x.detach().to(dtype).requires_grad_(), g.to(dtype)
    out = lif.run(LIF(), x, save="checkpoints")
    (replayed,) = torch.autograd.grad(out, x, g)
    (saved,) = torch.autograd.grad(lif.run(LIF(), x), x, g)
    assert out.dtype == dtype and replayed.dtype == dtype and torch.equal(replayed, saved)


@interpreted
def test_a_word_holds_the_spikes_of_32_steps() -> None:
    with pytest.raises(Refused, match="take rows=32"):
        lif.run(LIF(), torch.zeros(3, 1, 2, requires_grad=True), save="checkpoints", rows=64)


@pytest.mark.timeout(300)
@pytest.mark.interprets("backends/test_triton_tiles.py")
@compiled
@pytest.mark.long
def test_interpreted(interpreted: Interpreted) -> None:
    """The tests above in a process of their own: triton chooses between compiling and interpreting when it is imported."""
    passed, _ = interpreted.passed("test_triton_tiles")
    assert passed > 0
