"""The identity behind PSU, and its two forms."""

from typing import Any, cast, get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from spikebench.backend import Refused, refusal
from spikebench.cases.case import Case
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.loading.subject import definition, neuron
from spikebench.neurons.lif import LIF
from spikebench.neurons.prf_lif import PRFLIF
from spikebench.neurons.psu import PSU
from spikebench.numerics.surrogate import Surrogate, by_slope
from spikebench.verify.gate import gate
from tests.neurons.test_neurons import by_slope as by_quadrature

RELATIVE = 1e-12


def drive(seed: int = 0) -> Tensor:
    return 1.5 + 2 * torch.randn(300, 2, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.99])
def test_dense_and_scan_are_one_function(decay: float) -> None:
    x = drive().requires_grad_()
    g = drive(1)
    scan, dense = PSU(decay=decay, threshold=0.7), PSU(decay=decay, threshold=0.7, form="dense")
    u, v = scan.membrane(x).detach(), dense.membrane(x).detach()
    assert float((u - v).abs().max()) <= RELATIVE * float(v.abs().max())
    assert torch.equal(scan(x), dense(x))
    (a,), (b,) = torch.autograd.grad(scan(x), x, g), torch.autograd.grad(dense(x), x, g)
    assert float((a - b).abs().max()) <= RELATIVE * float(b.abs().max())


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("threshold", [0.3, 1.0])
def test_with_true_spikes_the_matrices_give_the_soft_reset_lif(decay: float, threshold: float) -> None:
    """V = A I − θ B S, with the spikes of the LIF whose input scale is 1 − decay."""
    x, psu = drive(), PSU(decay=decay, threshold=threshold, form="dense")
    lif = LIF(decay=decay, threshold=threshold, input_scale="1-decay")
    s = lif(x)
    assert isinstance(s, Tensor) and float(s.sum()) > 20 and float(s.mean()) < 0.99
    v = psu.leaky(x) - threshold * psu.past(s)
    u = lif.membrane(x)
    assert float((u - v).abs().max()) <= RELATIVE * float(u.abs().max())


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.99])
def test_decayed_accumulation_is_the_lif_and_plain_sums_are_not(decay: float) -> None:
    x = drive() - 1.3
    expected = LIF(decay=decay)(x)
    assert isinstance(expected, Tensor)
    assert torch.equal(PRFLIF(decay=decay)(x), expected)
    assert float((PRFLIF(decay=decay, accumulation="printed")(x) != expected).double().mean()) > 0.05


def test_decoupled_gradient_is_that_of_a_detached_reset() -> None:
    x, g = (drive() - 1.3).requires_grad_(), drive(1)
    lif = LIF(decay=0.9, detach_reset=True)(x)
    assert isinstance(lif, Tensor)
    (got,), (want,) = (torch.autograd.grad(s, x, g) for s in (PRFLIF(decay=0.9)(x), lif))
    assert float((got - want).abs().max()) <= RELATIVE * float(want.abs().max())


@pytest.mark.parametrize("backend", ["eager", "cpu"])
@pytest.mark.parametrize("threshold", [0.3, 1.0])
def test_the_authors_matrices_as_they_write_them(backend: str, threshold: float) -> None:
    """Membrane, spikes and gradient with M1 and M2 filled in as the authors' generate_matrix does, in plain autograd."""
    x, g, tau, steps = drive().requires_grad_(), drive(1), 4.0, 300
    m1, m2 = torch.zeros(steps, steps, dtype=x.dtype), torch.zeros(steps, steps, dtype=x.dtype)
    for i in range(steps):
        for j in range(i + 1):
            m1[i, j] = (1 / tau) ** (i - j + 1)
            m2[i, j] = -((1 / tau) ** (i - j)) if j < i else 0.0
    d1 = m1 @ x.flatten(1)
    z = (d1 + threshold * m2 @ d1.sigmoid()).view(x.shape) - threshold
    slope = 1 / (1 + (torch.pi * z.detach()).square())
    (want,) = torch.autograd.grad(z, x, g * slope)
    psu = neuron(f"psu[matrices=authors,tau=4,threshold={threshold}]@{backend}", 7, steps, torch.float64)
    s = psu(x)
    (got,) = torch.autograd.grad(s, x, g)
    assert torch.equal(s, (z >= 0).double()) and 0.01 < float(s.detach().mean()) < 0.99
    assert float((got - want).abs().max()) <= RELATIVE * float(want.abs().max())


@pytest.mark.parametrize("name", ["psu", "rpsu"])
def test_at_the_authors_default_both_pairs_of_matrices_are_one(name: str) -> None:
    x, made = drive(), []
    for options in ("matrices=lif,decay=0.5", "matrices=authors,tau=2"):
        torch.manual_seed(0)
        made.append(definition(parse_subject(f"{name}[{options}]"), 7, 300).double().membrane(x))
    assert torch.equal(*made)


@pytest.mark.parametrize("options", ["tau=4", "matrices=authors,decay=0.9", "matrices=authors,tau=0.0"])
def test_an_option_that_does_not_count_is_refused(options: str) -> None:
    with pytest.raises(Problem, match="tau"):
        definition(parse_subject(f"psu[{options}]"), 1, 1)


def test_a_unit_with_the_authors_matrices_has_no_lif_to_agree_with() -> None:
    assert parse_subject("psu[decay=0.9]").approximates is not None
    assert parse_subject("psu[matrices=authors,tau=4]").approximates is None


@pytest.mark.parametrize("surrogate", get_args(Surrogate))
def test_the_slope_learns_along_the_integral_of_its_surrogate(surrogate: Surrogate) -> None:
    z = torch.linspace(-1.3, 1.3, 40, dtype=torch.float64)
    got = by_slope(z, surrogate, torch.tensor(0.7, dtype=torch.float64))
    if surrogate == "rectangle":  # its integral is k·z cut at ±1/2: no quadrature takes its jumps
        want = np.where(0.7 * z.abs().numpy() < 0.5, z.numpy(), 0.0)
    else:
        want = by_quadrature(z.numpy(), surrogate, 0.7)
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-3, atol=1e-4 * float(np.abs(want).max()))


@pytest.mark.parametrize("name", ["psu", "ipsu", "rpsu", "ppsu"])
def test_fused_backends_say_that_they_have_no_slope_that_learns(name: str) -> None:
    subject = f"{name}[learn_slope=true]@cpu"
    assert "learn_slope" in str(refusal(Case(subject, T=8, B=1, N=4)))
    with pytest.raises(Refused, match="slope learns"):
        neuron(subject, 4, 8)(torch.ones(8, 1, 4))


@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_ppsu_as_its_authors_write_it(backend: str) -> None:
    """Membrane, spikes and every gradient with addmm and M2 of generate_matrix, in plain autograd; its gate is green."""
    torch.manual_seed(0)
    x, g, steps, tau = drive().requires_grad_(), drive(1), 300, 4.0
    ppsu = cast(Any, neuron(f"ppsu[decay=0.25,threshold=0.3]@{backend}", 7, steps, torch.float64))
    w, b = ppsu.neuron.weight, ppsu.neuron.bias
    lag = torch.arange(steps)[:, None] - torch.arange(steps)
    m2 = torch.where(lag > 0, -((1 / tau) ** lag.clamp_min(0).double()), 0.0)
    d1 = torch.addmm(b, w * torch.ones_like(w).tril(), x.flatten(1))
    z = (d1 + m2 @ d1.sigmoid()).view(x.shape) - 0.3
    wanted = torch.autograd.grad(z, (x, w, b), g / (1 + (torch.pi * z.detach()).square()))
    s = ppsu(x)
    assert torch.equal(s, (z >= 0).double()) and 0.01 < float(s.detach().mean()) < 0.99
    for got, want in zip(torch.autograd.grad(s, (x, w, b), g), wanted, strict=True):
        assert float((got - want).abs().max()) <= 10 * RELATIVE * float(want.abs().max())
    assert gate(Case(f"ppsu@{backend}", T=40, B=2, N=8)).status == "passed"
