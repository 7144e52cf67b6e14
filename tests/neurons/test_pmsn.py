"""What PMSN starts as, and its soma where one step brings more than one threshold."""

import numpy as np
import pytest
import torch
from oracles import pmsn

from spikebench.neurons.pmsn import PMSN


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
