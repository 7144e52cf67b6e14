"""SPSN's spike probabilities and estimators."""

import pytest
import torch

from spikebench.backends.fft import spsn as fft_spsn
from spikebench.cases.case import Case
from spikebench.neurons.spsn import SPSN
from spikebench.verify.gate import gate

DRAWS = 100_000


@pytest.mark.parametrize(("mode", "factor"), [("sb", 1.0), ("gs", 2.0)])
@pytest.mark.parametrize("v", [-2.0, -0.3, 0.0, 0.7, 1.5])
def test_mean_spike_is_the_sigmoid(mode: str, factor: float, v: float) -> None:
    neuron = SPSN(mode=mode)  # pyright: ignore[reportArgumentType]  # one of the two modes
    neuron.seed = 11
    drawn = torch.full((DRAWS // 100, 10, 10), v, dtype=torch.float64)
    s = neuron.fire(drawn, neuron.draw(drawn))
    p = float(torch.sigmoid(torch.tensor(factor * v, dtype=torch.float64)))
    assert abs(float(s.mean()) - p) <= 4 * (p * (1 - p) / DRAWS) ** 0.5


def test_the_gumbel_sample_has_the_law_of_two_gumbels() -> None:
    """The relaxed sample from one uniform against the authors' two Gumbels, by quantiles."""
    generator, v, tau = torch.Generator().manual_seed(5), 0.4, 0.8
    one, two, three = torch.rand(3, DRAWS, generator=generator, dtype=torch.float64)
    y = torch.sigmoid((2 * v - torch.logit(one)) / tau)
    first, second = (-(-u.log()).log() for u in (two, three))
    theirs = torch.softmax(torch.stack([(v + first) / tau, (-v + second) / tau]), 0)[0]
    levels = torch.tensor([0.1, 0.25, 0.5, 0.75, 0.9], dtype=torch.float64)
    share = torch.stack([(y <= q).double().mean() for q in theirs.quantile(levels)])
    assert bool(((share - levels).abs() <= 5 * (2 * levels * (1 - levels) / DRAWS).sqrt()).all())


@pytest.mark.parametrize("estimator", ["authors", "straight-through"])
def test_bernoulli_estimators(estimator: str) -> None:
    neuron = SPSN(estimator=estimator)  # pyright: ignore[reportArgumentType]  # one of the two estimators
    v = torch.linspace(-3, 3, 13, dtype=torch.float64).requires_grad_()
    g = torch.linspace(1, 2, 13, dtype=torch.float64)
    (got,) = torch.autograd.grad(neuron.fire(v, torch.rand(13, dtype=torch.float64)), v, g)
    p = torch.sigmoid(v.detach())
    expected = g * p**2 * (1 - p) if estimator == "authors" else g * p * (1 - p)
    torch.testing.assert_close(got, expected, rtol=1e-13, atol=0)


def test_gumbel_estimator_is_the_derivative_of_the_relaxed_sample() -> None:
    neuron = SPSN(mode="gs", tau=0.7)
    v = torch.linspace(-2, 2, 9, dtype=torch.float64).requires_grad_()
    uniforms = torch.linspace(0.05, 0.95, 9, dtype=torch.float64)
    g = torch.linspace(1, 2, 9, dtype=torch.float64)
    (got,) = torch.autograd.grad(neuron.fire(v, uniforms), v, g)
    (want,) = torch.autograd.grad(torch.sigmoid((2 * v - torch.logit(uniforms)) / 0.7), v, g)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=0)
    s = neuron.fire(v, uniforms)
    relaxed = torch.sigmoid((2 * v - torch.logit(uniforms)) / 0.7)
    assert torch.equal(s, (relaxed > 0.5).double()), "the hard sample is the relaxed one rounded"


def test_a_uniform_of_zero_counts_as_half_a_step_of_the_generator() -> None:
    neuron, v = SPSN(mode="gs", tau=0.7), torch.tensor([-8.0], dtype=torch.float64).requires_grad_()
    zero, least = torch.zeros_like(v), torch.full_like(v, 2.0**-25)
    (got,) = torch.autograd.grad(neuron.fire(v, zero.detach()), v)
    (want,) = torch.autograd.grad(torch.sigmoid((2 * v - torch.logit(least)) / 0.7), v)
    torch.testing.assert_close(got, want, rtol=1e-12, atol=0)
    assert float(want) > 0


@pytest.mark.parametrize(("mem", "syn"), [(0.9, 0.9), (0.9, 0.5)])
def test_impulse_is_the_closed_response(mem: float, syn: float) -> None:
    n = torch.arange(40, dtype=torch.float64)
    expected = (1 - mem) * ((n + 1) * mem**n if mem == syn else (mem ** (n + 1) - syn ** (n + 1)) / (mem - syn))
    torch.testing.assert_close(SPSN(mem_decay=mem, syn_decay=syn).impulse(40), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("mem", "syn"), [(0.9, 0.9 + 1e-9), (0.5, 0.0), (0.0, 0.5), (1.0, 0.999), (0.999, 0.999)])
def test_impulse_at_hard_decays_is_the_loop(mem: float, syn: float) -> None:
    neuron, unit = SPSN(mem_decay=mem, syn_decay=syn), torch.zeros(3000, dtype=torch.float64)
    unit[0] = 1.0
    torch.testing.assert_close(neuron.impulse(3000), neuron.potential(unit), rtol=1e-11, atol=1e-300)


def test_the_spectrum_is_made_once_for_a_length_and_its_constants() -> None:
    """A second call does no work of T steps but the transforms; other constants are another spectrum."""
    kept = fft_spsn._response
    kept.cache_clear()
    x = torch.randn(50, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    neuron = SPSN()
    for _ in range(2):
        fft_spsn.run(neuron, x)
    assert (kept.cache_info().misses, kept.cache_info().hits) == (1, 1)
    neuron.mem_decay = 0.5
    neuron.seed, neuron.calls = 3, 0
    s = fft_spsn.run(neuron, x)
    assert kept.cache_info().misses == 2
    neuron.calls = 0
    assert torch.equal(s, neuron(x))
    fft_spsn.run(neuron, x.float())
    fft_spsn.run(neuron, x[:20])
    assert kept.cache_info().misses == 4


@pytest.mark.long
def test_the_authors_padding_wraps_and_the_gate_sees_it() -> None:
    """Theirs equals a direct sum over their cut and wrapped kernel; where its tail is long it is not the neuron."""
    steps, syn, mem = 12, 0.9, 0.8
    x = torch.randn(steps, 1, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    lag = torch.arange(steps, dtype=torch.float64)
    first, second, tall = syn**lag, (1 - mem) * mem**lag, torch.zeros(2 * steps, dtype=torch.float64)
    for i in range(steps):
        tall[i : i + steps] += first[i] * second
    index = (torch.arange(steps)[:, None] - torch.arange(steps)) % (2 * steps)
    want = torch.einsum("tj,jbn->tbn", tall[index], x)
    got = fft_spsn._circular(x, fft_spsn._wrapped(steps, x.dtype, x.device, syn, mem))
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-13)
    assert (
        gate(Case("spsn@fft[padding=authors]", T=24, B=8, N=64, mode="inference", dtype="float64")).status == "failed"
    )
    assert gate(Case("spsn@fft[padding=authors]", T=1000, B=2, N=16, mode="train")).status == "passed"
