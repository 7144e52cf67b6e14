"""The identity behind PSU, and its two forms."""

import pytest
import torch
from torch import Tensor

from spikebench.neurons.lif import LIF
from spikebench.neurons.prf_lif import PRFLIF
from spikebench.neurons.psu import PSU

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
