"""What PMSN starts as, and its soma where one step brings more than one threshold."""

import numpy as np
import pytest
import torch
from oracles import pmsn

from spikebench.backends.fft import pmsn as fft
from spikebench.cases.subject import parse_subject
from spikebench.neurons.pmsn import PMSN
from spikebench.verify.check import CHECKS
from spikebench.verify.specimen import CheckFailed, Specimen


@pytest.mark.parametrize("state", [1, 2, 3, 4])
def test_it_starts_as_the_chain_of_compartments(state: int) -> None:
    """Eigenvectors have no sign of their own, so that the response is compared, which does not depend on it."""
    torch.manual_seed(1)
    neuron = PMSN(5, state=state).double()
    expected = pmsn.response(state, np.exp(neuron.log_dt.detach().numpy()), 9)
    np.testing.assert_allclose(neuron.kernel(9).detach().numpy(), expected, atol=1e-6)


def test_a_spike_takes_off_all_whole_thresholds() -> None:
    neuron = PMSN(1, threshold=0.5).double()
    y = torch.tensor([1.75, 0.125, 0.125, -3.0, 0.25, 0.5], dtype=torch.float64)[:, None, None]
    assert neuron.soma(y).flatten().tolist() == [1.75, 0.375, 0.5, 0.0, 0.25, 0.75]
    assert neuron.fire(y).flatten().tolist() == [1, 0, 1, 0, 0, 1]


def test_what_is_exactly_0_at_the_soma_gets_no_gradient() -> None:
    y = torch.tensor([0.75, 0.0, -0.5, 0.125], dtype=torch.float64)[:, None, None].requires_grad_()
    PMSN(1).double().fire(y).sum().backward()
    assert y.grad is not None and y.grad.flatten().tolist() == [0.75, 0, 0, 0.875]


def test_a_transform_over_time_passes_the_checks_that_rounding_would_fail() -> None:
    """Its gradient is zero before the last spike but for rounding, and a NaN is in all of its series, as in all of a chunk."""
    fft_checked, eager = Specimen(parse_subject("pmsn@fft")), Specimen(parse_subject("pmsn@eager"))
    assert "not zero" in CHECKS["gradient"](fft_checked)
    assert "over which a transform spreads it" in CHECKS["edges"](fft_checked)
    assert "spreads" not in CHECKS["edges"](eager)
    for chunked in ("fpt", "spsn"):
        assert "matrix of a chunk spreads it" in CHECKS["edges"](Specimen(parse_subject(f"{chunked}@scan")))


def test_a_neuron_that_spreads_a_nan_and_does_not_say_so_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikebench.verify.check._spreads", lambda subject: None)
    with pytest.raises(CheckFailed, match="a NaN at t = 12 changes earlier spikes"):
        CHECKS["edges"](Specimen(parse_subject("fpt@scan")))


def test_the_spikes_of_thousands_of_steps_are_those_of_double_precision() -> None:
    torch.manual_seed(1)
    neuron, x = PMSN(128), 3.0 + torch.randn(6000, 1, 128)
    with torch.no_grad():
        assert torch.equal(fft.run(neuron, x), fft.run(neuron.double(), x.double()).float())
