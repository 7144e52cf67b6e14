"""Run by test_triton.py under TRITON_INTERPRET=1: spikes and gradients of the kernels against the definitions."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from spikebench.backend import Refused
from spikebench.backends.triton import (
    _launch,
    exodus,
    ipsu,
    lif,
    masked_psn,
    para_lif,
    prf,
    prf_lif,
    psn,
    psu,
    rpsu,
    slayer,
    sliding_psn,
    spike_sampler,
    spsn,
)
from spikebench.backends.triton._philox import signed, uniforms
from spikebench.neurons.exodus import Exodus
from spikebench.neurons.ipsu import IPSU
from spikebench.neurons.lif import LIF
from spikebench.neurons.masked_psn import MaskedPSN
from spikebench.neurons.para_lif import ParaLIF
from spikebench.neurons.prf import PRF
from spikebench.neurons.prf_lif import PRFLIF
from spikebench.neurons.psn import PSN
from spikebench.neurons.psu import PSU
from spikebench.neurons.rpsu import RPSU
from spikebench.neurons.slayer import SLAYER
from spikebench.neurons.sliding_psn import SlidingPSN
from spikebench.neurons.spike_sampler import SpikeSampler
from spikebench.neurons.spsn import SPSN
from spikebench.numerics import philox

triton, tl = pytest.importorskip("triton"), pytest.importorskip("triton.language")
DTYPES = (torch.float64, torch.float32)
PASSES = [(torch.float64, 0), (torch.float64, 4), (torch.float32, 4)]
LEARN = {"learn_decay": True, "learn_threshold": True}


def current(dtype: torch.dtype, mean: float, size: tuple[int, int, int] = (10, 3, 7)) -> tuple[Tensor, Tensor]:
    """Input with its mean, and a gradient for the spikes."""
    generator = torch.Generator().manual_seed(11)
    x, g = (torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(2))
    return (x * 0.6 + mean).to(dtype).requires_grad_(), g.to(dtype)


def agree(run: Callable[..., Tensor], neuron: Any, x: Tensor, g: Tensor, **how: Any) -> None:
    """Equal spikes, and gradients of input and parameters that differ by rounding; inference gives the same spikes."""
    neuron.to(x.dtype)
    wanted = [x, *(p for p in neuron.parameters() if p.requires_grad)]
    s = neuron(x)
    expected = torch.autograd.grad(s, wanted, g)
    neuron.calls = 0
    out = run(neuron, x, **how)
    found = torch.autograd.grad(out, wanted, g)
    assert out.dtype == x.dtype and torch.equal(out, s)
    assert 0 < float(s.detach().mean()) < 1 and float(s.detach().std()) > 0
    limit = 1e-12 if x.dtype == torch.float64 else 1e-5
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape and a.dtype == b.dtype
        assert float((a - b).abs().max()) <= limit * max(float(b.abs().max()), 1e-3)
    neuron.calls = 0
    with torch.no_grad():
        assert torch.equal(run(neuron, x, **how), s)


@pytest.mark.parametrize("dtype, chunk", PASSES)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reset": "none", "surrogate": "triangle", **LEARN},
        {"reset": "hard", "surrogate": "sigmoid", "input_scale": "1-decay", "synapse_decay": 0.7, **LEARN},
        {"reset": "hard", "detach_reset": True, "strict": True, "synapse_decay": 0.8, "surrogate": "fast_sigmoid"},
        {"detach_reset": True, "input_scale": "1-decay", "threshold": 0.1, "surrogate": "exponential", **LEARN},
        {"reset_delay": True, **LEARN},
        {"reset_delay": True, "detach_reset": True, **LEARN},
    ],
)
def test_lif_is_the_definition(options: dict[str, Any], dtype: torch.dtype, chunk: int) -> None:
    x, g = current(dtype, mean=0.5 if options.get("input_scale") else 0.2)
    agree(lif.run, LIF(**options), x, g, chunk=chunk, block=16)


@pytest.mark.parametrize("strict", [False, True])
def test_lif_ties_and_nan(strict: bool) -> None:
    x = torch.tensor([[0.5, 1.0, float("nan")], [0.75, 0.5, 2.0], [0.5, 1.25, 2.0]])[:, None]
    neuron = LIF(decay=0.5, strict=strict)
    assert torch.equal(lif.run(neuron, x), neuron(x))


def test_lif_bytes_and_half_precision() -> None:
    x, g = current(torch.float32, mean=0.2)
    x = x.detach().bfloat16()
    s = lif.run(LIF(), x)
    assert s.dtype == torch.bfloat16 and torch.equal(s.float(), LIF()(x.float()))
    as_bytes = lif.run(LIF(), x, spikes="uint8")
    assert as_bytes.dtype == torch.uint8 and torch.equal(as_bytes.bool(), s.bool())
    half = x.clone().requires_grad_()
    full = x.float().requires_grad_()
    (a,) = torch.autograd.grad(lif.run(LIF(), half), half, g.bfloat16())
    (b,) = torch.autograd.grad(LIF()(full), full, g.bfloat16().float())
    assert a.dtype == torch.bfloat16
    assert bool(((a.float() - b).abs() <= 2.0**-7 * b.abs()).all())  # the interpreter truncates where a GPU rounds


@pytest.mark.parametrize(
    "run, neuron",
    [(spsn.run, SPSN()), (psu.run, PSU()), (exodus.run, Exodus()), (spike_sampler.run, SpikeSampler(7, state=4))],
)
def test_half_precision_is_computed_in_float32(run: Callable[..., Tensor], neuron: Any) -> None:
    x = current(torch.float32, mean=1.0)[0].detach().bfloat16()
    neuron.calls = 0
    s = run(neuron, x)
    neuron.calls = 0
    assert s.dtype == torch.bfloat16 and torch.equal(s.float(), run(neuron, x.float()))
    assert 0 < float(s.detach().float().std())
    if not isinstance(neuron, Exodus):
        neuron.calls = 0
        with torch.no_grad():
            as_bytes = run(neuron, x, spikes="uint8")
        assert as_bytes.dtype == torch.uint8 and torch.equal(as_bytes.to(s.dtype), s)
        with pytest.raises(Refused, match="no gradient"):
            run(neuron, x.clone().requires_grad_(), spikes="uint8")


@pytest.mark.parametrize("how", [{}, {"chunk": 4}])
def test_lif_on_many_series_and_a_gradient_that_is_not_contiguous(how: dict[str, Any]) -> None:
    x, _ = current(torch.float64, 0.2, (10, 2, 64))
    (a,) = torch.autograd.grad(lif.run(LIF(), x, **how).sum(), x)
    (b,) = torch.autograd.grad(LIF()(x).sum(), x)
    assert torch.allclose(a, b, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype, chunk", PASSES)
@pytest.mark.parametrize(
    "options",
    [{}, {"mode": "gs", "tau": 0.7}, {"estimator": "straight-through", "mem_decay": 0.8, "syn_decay": 0.5}],
)
def test_spsn_is_the_definition(options: dict[str, Any], dtype: torch.dtype, chunk: int) -> None:
    neuron = SPSN(**options)
    neuron.seed, neuron.site = -(2**63) + 12345, 2
    x, g = current(dtype, mean=0.0)
    agree(spsn.run, neuron, x, g, chunk=chunk, block=16)


@triton.jit
def draw_kernel(out, start, seed, call, site, M):  # noqa: ANN001, ANN201  # an annotation in a kernel is a command
    m = tl.arange(0, 16)
    drawn = uniforms(seed, start + m.to(tl.int64), site, call)
    for j in tl.static_range(4):
        tl.store(out + j * M + m, drawn[j], mask=m < M)


@pytest.mark.parametrize("seed", [0, 2**64 - 1, 0x9E3779B97F4A7C15, -5])
@pytest.mark.parametrize("start", [0, 2**32 - 7])
def test_spsn_uniforms_are_those_of_every_backend(seed: int, start: int) -> None:
    out = torch.empty(4, 13)
    call, site = 2**32 - 1, 3
    draw_kernel[(1,)](out, start, signed(seed), call, site, 13)
    words = philox.words(seed, call, site, torch.arange(start, start + 13))
    assert torch.equal(out, (torch.stack(words) >> 8).float() * 2.0**-24)


def test_spsn_draws_the_uniforms_of_its_shape() -> None:
    neuron = SPSN(mem_decay=0.0, syn_decay=0.0)
    neuron.seed, neuron.site, neuron.calls = 77, 5, 9
    u = philox.uniforms(77, 9, 5, (10, 2, 33)).double()
    x = torch.logit(u).requires_grad_()
    shift = torch.where(torch.arange(33) % 2 == 0, 1e-9, -1e-9)  # just above and just below the uniform itself
    assert torch.equal(spsn.run(neuron, x + shift), (shift > 0).double().expand(10, 2, 33))


@pytest.mark.parametrize("dtype, chunk", PASSES)
@pytest.mark.parametrize("options", [{}, {"decay": 0.7, "threshold": 0.4, "surrogate": "triangle"}])
def test_psu_is_the_definition(options: dict[str, Any], dtype: torch.dtype, chunk: int) -> None:
    x, g = current(dtype, mean=1.6)
    agree(psu.run, PSU(**options), x, g, chunk=chunk, block=16)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"learn_decay": True, "norm_input": True, "synapse_decay": 0.7, "v_min": -0.1, "threshold": 0.2},
    {"learn_decay": True, "norm_input": True, "synapse_decay": 0.7, "decay_early": False, "max_spikes": 2},
    {"decay": 1.0, "v_min": 0.0, "width": 1.0, "subtract": 0.5, "surrogate": "atan"},
]


@pytest.mark.parametrize("dtype, chunk", PASSES)
@pytest.mark.parametrize("options", OPTIONS)
def test_exodus_is_the_definition(options: dict[str, Any], dtype: torch.dtype, chunk: int) -> None:
    x, g = current(dtype, mean=0.3)
    agree(exodus.run, Exodus(**options), x, g, chunk=chunk, block=16)


def test_exodus_counts_exact_multiples_of_the_threshold() -> None:
    x = torch.tensor([[0.3, 0.75, 3.0, -2.0], [0.9, 1.5, 0.25, -0.5], [0.6, float("nan"), 8.0, 0.0]])[:, None]
    for neuron in (Exodus(decay=0.5), Exodus(decay=0.5, threshold=0.3, v_min=-0.5), Exodus(decay=1.0, max_spikes=3)):
        assert torch.equal(exodus.run(neuron, x), neuron(x))
    many = (torch.arange(1, 200) * torch.tensor(0.7))[None, None]  # a rounded reciprocal of 0.7 misses some of these
    assert torch.equal(exodus.run(Exodus(threshold=0.7), many), Exodus(threshold=0.7)(many))
    neuron = Exodus(max_spikes=3)
    assert torch.equal(exodus.run(neuron, x, spikes="uint8").float(), neuron(x))


@pytest.mark.parametrize("chunk", [0, 4])
@pytest.mark.parametrize("options", OPTIONS)
def test_slayer_is_the_definition(options: dict[str, Any], chunk: int) -> None:
    x, g = current(torch.float64, mean=0.3)
    agree(slayer.run, SLAYER(**options), x, g, chunk=chunk, block=16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("state", [6, 16])
def test_spike_sampler_is_the_definition(state: int, dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    neuron = SpikeSampler(7, state=state)
    neuron.seed, neuron.site = 12345678901234, 1
    with torch.no_grad():
        neuron.gain.mul_(0.3)
        neuron.bias.add_(0.4)
    x, g = current(dtype, mean=0.0, size=(9, 2, 7))
    agree(spike_sampler.run, neuron, x, g, block=4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("state, steps, how", [(6, 9, {}), (16, 53, {"precision": "tf32x3"}), (36, 32, {"block": 4})])
def test_spike_sampler_as_products_is_the_definition(
    state: int, steps: int, how: dict[str, Any], dtype: torch.dtype
) -> None:
    torch.manual_seed(5)
    neuron = SpikeSampler(7, state=state)
    neuron.seed, neuron.site = 12345678901234, 1
    with torch.no_grad():
        neuron.gain.mul_(0.3)
        neuron.bias.add_(0.4)
    x, g = current(dtype, mean=0.0, size=(steps, 2, 7))
    agree(spike_sampler.run, neuron, x, g, form="dot", chunk=16, **how)


def test_spike_sampler_as_products_keeps_what_does_not_learn() -> None:
    neuron = SpikeSampler(4, state=4)
    neuron.requires_grad_(False)
    x, g = current(torch.float64, mean=0.2, size=(37, 1, 4))
    agree(spike_sampler.run, neuron, x, g, form="dot", chunk=16)
    x = x.detach().bfloat16()
    neuron.to(x.dtype)
    as_bytes = spike_sampler.run(neuron, x, seed=7, form="dot", chunk=32, spikes="uint8")
    neuron.calls -= 1
    assert as_bytes.dtype == torch.uint8
    assert torch.equal(as_bytes.to(x.dtype), spike_sampler.run(neuron, x, seed=7, form="dot", chunk=32))
    with pytest.raises(Refused, match="multiple of 16"):
        spike_sampler.run(neuron, x, form="dot", chunk=24)


def test_spike_sampler_without_parameters_that_learn() -> None:
    neuron = SpikeSampler(4, state=4)
    neuron.requires_grad_(False)
    x, g = current(torch.float64, mean=0.2, size=(6, 1, 4))
    agree(spike_sampler.run, neuron, x, g)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"surrogate": "triangle", "slope": 0.5}])
@pytest.mark.parametrize("run, kind", [(psn.run, PSN), (masked_psn.run, MaskedPSN)])
def test_products_of_matrices_are_the_definition(
    run: Callable[..., Tensor], kind: Any, options: dict[str, Any], dtype: torch.dtype
) -> None:
    torch.manual_seed(3)
    x, g = current(dtype, mean=1.5)
    agree(run, kind(T=10, **options), x, g)
    with torch.no_grad():
        assert run(kind(T=10).to(dtype), x, spikes="uint8").dtype == torch.uint8


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"variant": "fpt", "surrogate": "triangle", "slope": 0.5}])
def test_ipsu_is_the_definition(options: dict[str, Any], dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    x, g = current(dtype, mean=1.5)
    neuron = IPSU(T=10, decay=0.3, threshold=-1.0, **options).to(dtype)
    agree(ipsu.run, neuron, x, g)
    with torch.no_grad():
        assert ipsu.run(neuron, x, spikes="uint8").dtype == torch.uint8


@pytest.mark.parametrize("dtype, chunk", PASSES)
@pytest.mark.parametrize("options", [{}, {"decay": 0.7, "threshold": 0.4, "surrogate": "triangle"}])
def test_rpsu_is_the_definition(options: dict[str, Any], dtype: torch.dtype, chunk: int) -> None:
    torch.manual_seed(3)
    x, g = current(dtype, mean=1.6)
    neuron = RPSU(T=10, **options).to(dtype)
    agree(rpsu.run, neuron, x, g, chunk=chunk, block=16)
    with torch.no_grad():
        assert rpsu.run(neuron, x, spikes="uint8").dtype == torch.uint8
    with pytest.raises(Refused, match="no gradient"):
        rpsu.run(neuron, x, spikes="uint8")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k, steps", [(1, 5), (3, 5), (8, 5), (5, 67)])
def test_sliding_psn_is_the_definition(k: int, steps: int, dtype: torch.dtype) -> None:
    x, g = current(dtype, mean=0.6, size=(steps, 1, 5))
    agree(sliding_psn.run, SlidingPSN(k=k), x, g, block=4 if steps < 60 else 8)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["t", "st", "tt", "trt", "d", "sd", "td", "trd"])
def test_para_lif_is_the_definition(mode: Any, dtype: torch.dtype) -> None:
    threshold = {"st": 0.6, "sd": 0.02}.get(mode, 0.1)
    neuron = ParaLIF(mode=mode, threshold=threshold, mem_decay=0.7, syn_decay=0.5, surrogate="atan", slope=2.0)
    x, g = current(dtype, mean=0.3)
    agree(para_lif.run, neuron.rounded(dtype), x, g, block=16)
    with torch.no_grad():
        assert para_lif.run(neuron, x, spikes="uint8").dtype == torch.uint8


def test_para_lif_that_learns_has_no_kernel() -> None:
    with pytest.raises(Refused, match="eager, scan or fft"):
        para_lif.run(ParaLIF(learn_tau=True), torch.zeros(3, 1, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"decay": 0.9, "accumulation": "printed", "surrogate": "triangle"}])
def test_prf_lif_is_the_definition(options: dict[str, Any], dtype: torch.dtype) -> None:
    x, g = current(dtype, mean=0.4)
    agree(prf_lif.run, PRFLIF(**options).rounded(dtype), x, g, block=16)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", [{}, {"tau": 0.5, "surrogate": "triangle", "slope": 0.5}])
def test_prf_is_the_definition(options: dict[str, Any], dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    neuron: Any = PRF(7, threshold=0.2, **options).rounded(dtype)
    x, g = current(dtype, mean=5.0)
    agree(prf.run, neuron, x, g, block=16)
    with torch.no_grad():
        assert prf.run(neuron, x, spikes="uint8").dtype == torch.uint8


def test_lif_is_interpreted_here() -> None:
    assert _launch.interpreted()
