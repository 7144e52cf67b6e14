"""The cpu kernels of ParaLIF, PRF and the decoupled LIF against the definitions, in float64 to the last bits."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

pytest.importorskip("numba")

from spikebench.backend import Refused
from spikebench.backends.cpu import para_lif, prf, prf_lif
from spikebench.backends.cpu._runtime import threads
from spikebench.cases.case import Case
from spikebench.neuron import Neuron
from spikebench.neurons.para_lif import ParaLIF
from spikebench.neurons.prf import PRF
from spikebench.neurons.prf_lif import PRFLIF
from spikebench.verify.gate import gate

pytestmark = pytest.mark.long  # processes or compiled loops

SURROGATES = st.sampled_from(["atan", "fast_sigmoid", "sigmoid", "triangle", "exponential"])
STEPS, SERIES = st.sampled_from([1, 2, 5, 33, 66]), st.sampled_from([(1, 1), (3, 7), (2, 48), (1, 208)])
STREAM_LIMITS = st.sampled_from([0, threads.STREAM_FROM])  # whether rows go past the caches where they can
DECAYS = st.sampled_from([0.0, 0.5, 0.9, 0.99])
MODES = ("t", "st", "tt", "trt", "d", "td", "trd")
PARA_LIF = st.fixed_dictionaries(
    {"mode": st.sampled_from(MODES), "mem_decay": DECAYS, "syn_decay": DECAYS, "threshold": st.sampled_from([0.1, 0.6])}
)
PRF_LIF = st.fixed_dictionaries(
    {
        "decay": st.sampled_from([0.0, 0.5, 0.9, 1.0]),
        "threshold": st.sampled_from([0.5, 1.0]),
        "accumulation": st.sampled_from(["decayed", "printed"]),
    }
)
SLOPES = st.sampled_from([1.0, 2.0, 10.0])
MADE: dict[Any, Any] = {para_lif: ParaLIF, prf_lif: PRFLIF, prf: PRF}


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    count, limit = torch.get_num_threads(), threads.STREAM_FROM
    yield
    torch.set_num_threads(count)
    threads.STREAM_FROM = limit


def agree(module: Any, neuron: Neuron, x: Tensor, limit: float = 1e-11) -> Tensor:
    """Equal spikes, and gradients that differ by rounding; spikes without a graph are the same."""
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64).to(x.dtype)
    wanted = [x, *neuron.parameters()]
    expected, spikes = cast(Tensor, neuron(x)), module.run(neuron, x)
    assert torch.equal(spikes, expected) and spikes.dtype == x.dtype
    want, got = (torch.autograd.grad(y, wanted, g) for y in (expected, spikes))
    for a, b in zip(got, want, strict=True):
        assert float((a - b).abs().max()) <= limit * max(float(b.abs().max()), 1e-2)
    with torch.no_grad():
        assert torch.equal(module.run(neuron, x), expected)
    return spikes.detach()


def current(steps: int, rest: tuple[int, int], seed: int, scale: float = 1.5, dtype: Any = torch.float64) -> Tensor:
    x = torch.randn(steps, *rest, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (scale * x).to(dtype).requires_grad_()


@given(PARA_LIF, SURROGATES, SLOPES, STEPS, SERIES, st.integers(0, 9), st.integers(1, 2), STREAM_LIMITS)
@settings(max_examples=60, deadline=None)
def test_para_lif(
    options: Any, surrogate: Any, slope: float, steps: int, rest: Any, seed: int, count: int, limit: int
) -> None:
    torch.set_num_threads(count)
    threads.STREAM_FROM = limit
    agree(para_lif, ParaLIF(**options, surrogate=surrogate, slope=slope), current(steps, rest, seed))


@given(PRF_LIF, SURROGATES, SLOPES, STEPS, SERIES, st.integers(0, 9), st.integers(1, 2), STREAM_LIMITS)
@settings(max_examples=40, deadline=None)
def test_prf_lif(
    options: Any, surrogate: Any, slope: float, steps: int, rest: Any, seed: int, count: int, limit: int
) -> None:
    torch.set_num_threads(count)
    threads.STREAM_FROM = limit
    agree(prf_lif, PRFLIF(**options, surrogate=surrogate, slope=slope), current(steps, rest, seed))


@given(st.sampled_from([0.5, 2.0, 20.0]), SURROGATES, SLOPES, STEPS, SERIES, st.integers(0, 9), st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_prf(tau: float, surrogate: Any, slope: float, steps: int, rest: Any, seed: int, count: int) -> None:
    torch.set_num_threads(count)
    torch.manual_seed(seed)
    neuron = PRF(rest[1], tau=tau, threshold=0.3, surrogate=surrogate, slope=slope).double()
    agree(prf, neuron, current(steps, rest, seed, scale=20.0))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_spikes_and_rests(mode: Any) -> None:
    neuron = ParaLIF(mode=mode, threshold=0.6 if mode == "st" else 0.1, surrogate="atan", slope=2.0)
    assert 0.02 < float(agree(para_lif, neuron, current(66, (2, 16), 0)).mean()) < 0.98


@pytest.mark.parametrize("module", [para_lif, prf, prf_lif])
def test_layouts_threads_and_what_is_refused(module: Any) -> None:
    torch.manual_seed(0)
    neuron: Neuron = (PRF(6) if module is prf else MADE[module]()).double()
    plain = current(33, (4, 6), 0, scale=5.0)
    swapped = plain.detach().transpose(1, 2).contiguous().transpose(1, 2).requires_grad_()
    g = torch.randn(33, 1, 1, dtype=torch.float64).expand(33, 4, 6)
    found = []
    for x, weights, count in ((plain, g.contiguous(), 1), (swapped, g, 2)):
        torch.set_num_threads(count)
        spikes = module.run(neuron, x)
        found.append((spikes, *torch.autograd.grad(spikes, [x, *neuron.parameters()], weights)))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    with pytest.raises(RuntimeError, match="no second derivatives"):
        torch.autograd.grad(module.run(neuron, plain).sum(), plain, create_graph=True)
    with pytest.raises(Refused, match="float16"):
        module.run(neuron, plain.half())


@pytest.mark.parametrize("options", [{"mode": "sd"}, {"recurrent": True}, {"learn_tau": True}, {"heterogeneous": True}])
def test_what_has_no_kernel_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="eager, scan or fft"):
        para_lif.run(ParaLIF(2, **options), torch.zeros(3, 1, 2))
    text = ",".join(f"{k}={str(v).lower()}" for k, v in options.items())
    assert "eager, scan or fft" in str(para_lif.refuses(Case(f"para_lif[{text}]@cpu")))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "text", ["para_lif", "para_lif[mode=trd,surrogate=atan,slope=2.0]", "prf", "prf_lif[decay=0.9]"]
)
def test_the_gate_passes(text: str, dtype: str) -> None:
    result = gate(Case(f"{text}@cpu", T=150, B=4, N=32, dtype=dtype))
    assert result.status == "passed", result.reason
