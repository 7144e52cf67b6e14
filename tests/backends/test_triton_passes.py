"""The kernels that neurons of one or two states share: interpreted in shapes of all kinds, and compiled without a GPU."""

import importlib
from typing import Any

import pytest
import torch

pytest.importorskip("triton")

from interpreted_triton import agree, current
from interpreting import Interpreted

from spikebench.backends.triton import _aot, _launch
from spikebench.neurons.c_silif import CSiLIF
from spikebench.neurons.dsn import DSN
from spikebench.neurons.para_lif import ParaLIF
from spikebench.neurons.plif import PLIF
from spikebench.neurons.prf import PRF
from spikebench.neurons.prf_lif import PRFLIF
from spikebench.neurons.psu import PSU
from spikebench.neurons.rpsu import RPSU
from spikebench.neurons.s5_rf import S5RF
from spikebench.neurons.silif import SiLIF
from spikebench.neurons.spsn import SPSN

INTERPRETED = _launch.interpreted()
interpreted = pytest.mark.skipif(not INTERPRETED, reason="runs in the process that test_interpreted starts")
compiled = pytest.mark.skipif(INTERPRETED, reason="compiling needs triton as it is")
T, N = 21, 11
HOW: list[dict[str, Any]] = [
    {"rows": 5, "chunk": 0},
    {"rows": 3, "chunk": 7},
    {"rows": 8, "chunk": 8},
    {"rows": 4, "chunk": 4, "stages": 3},
    {"rows": 16, "stages": 2},
    {"rows": 1, "chunk": 10},
]


def neurons(steps: int = T) -> list[tuple[str, Any, float]]:
    """File of the kernels, neuron, and the mean of an input at which it fires now and then."""
    delta = {"mem_decay": 0.7, "syn_decay": 0.5, "surrogate": "atan", "slope": 2.0}
    return [
        ("spsn", SPSN(mem_decay=0.8), 0.0),
        ("spsn", SPSN(mode="gs", tau=0.7), 0.0),
        ("psu", PSU(decay=0.7, threshold=0.4), 1.6),
        ("para_lif", ParaLIF(mode="td", threshold=0.02, **delta), 0.3),
        ("para_lif", ParaLIF(mode="sd", threshold=0.02, **delta), 0.3),
        ("para_lif", ParaLIF(mode="trt", threshold=0.1, **delta), 0.3),
        ("prf", PRF(N, threshold=0.2), 5.0),
        ("prf_lif", PRFLIF(), 0.4),
        ("prf_lif", PRFLIF(decay=0.9, accumulation="printed"), 0.4),
        ("rpsu", RPSU(T=steps, decay=0.7), 1.6),
        ("s5_rf", S5RF(N, threshold=0.4), 0.3),
        ("dsn", DSN(N, k=3, threshold=0.3), 0.3),
        ("c_silif", CSiLIF(N, surrogate="atan"), 1.5),
        ("c_silif", CSiLIF(N, detach_reset=True, surrogate="triangle"), 1.5),
        ("plif", PLIF(), 0.8),
        ("plif", PLIF(reset="soft", tau=3.0, detach_reset=False), 0.8),
        ("plif", PLIF(shared=False, n=N, decay_input=False, detach_reset=False), 0.4),
        ("plif", PLIF(shared=False, n=N, reset="soft", decay_input=False), 0.4),
        ("silif", SiLIF(N, threshold=0.3, surrogate="atan"), 1.5),
        ("silif", SiLIF(N, threshold=0.2, detach_reset=True, surrogate="triangle"), 1.5),
    ]


@interpreted
@pytest.mark.parametrize("place, how", [(n, HOW[n % 6]) for n in range(20)])
def test_any_tile_and_chunk_is_the_definition(place: int, how: dict[str, Any]) -> None:
    """Tiles that do not divide the chunk, chunks that do not divide T, series that do not fill a program."""
    torch.manual_seed(3)
    name, neuron, mean = neurons()[place]
    run = importlib.import_module(f"spikebench.backends.triton.{name}").run
    x, g = current(torch.float64, mean, (T, 3, N))
    agree(run, neuron.rounded(torch.float64), x, g, block=32, **how)


@interpreted
@pytest.mark.parametrize("place", [1, 4, 6, 12, 14, 18])
def test_half_precision_is_computed_in_float32(place: int) -> None:
    """Spikes and gradients of bfloat16 input are those of the same numbers in float32, rounded."""
    torch.manual_seed(3)
    name, neuron, mean = neurons()[place]
    run = importlib.import_module(f"spikebench.backends.triton.{name}").run
    x, g = current(torch.float32, mean, (T, 3, N))
    found = []
    for dtype in (torch.bfloat16, torch.float32):
        neuron.calls = 0
        half = x.detach().bfloat16().to(dtype).requires_grad_()
        s = run(neuron, half, rows=8, chunk=8)
        found.append((s, *torch.autograd.grad(s, half, g.bfloat16().to(dtype))))
    (s, dx), (s_32, dx_32) = found
    assert s.dtype == dx.dtype == torch.bfloat16 and torch.equal(s.float(), s_32) and 0 < float(s_32.mean()) < 1
    assert bool(((dx.float() - dx_32).abs() <= 2.0**-7 * dx_32.abs()).all())  # the interpreter truncates


@compiled
@pytest.mark.timeout(300)
@pytest.mark.interprets("backends/test_triton_passes.py")
@pytest.mark.long
def test_interpreted(interpreted: Interpreted) -> None:
    """The tests above in a process of their own: triton chooses between compiling and interpreting when it is imported."""
    passed, _ = interpreted.passed("test_triton_passes")
    assert passed > 0


@compiled
@pytest.mark.parametrize(
    "name, dtype, batch", [("spsn", torch.float64, 32), ("spsn", torch.float32, 128), ("psu", torch.float32, 32)]
)
def test_shapes_that_are_chosen_do_not_spill(name: str, dtype: torch.dtype, batch: int) -> None:
    """Where a thread holds most: mode gs of spsn draws its uniforms again in the backward pass."""
    run = importlib.import_module(f"spikebench.backends.triton.{name}").run
    neuron = SPSN(mode="gs") if name == "spsn" else PSU()
    for launch in _aot.launches(run, neuron, (1000, batch, 512), dtype)[:2]:
        made = _aot.compiled(launch, 90)
        assert made.registers > 0 and made.spills == 0, made
