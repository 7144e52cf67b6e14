"""What the learned parameters of the neurons start as."""

import math

import pytest
import torch
from torch import Tensor

from spikebench.neurons.glif import GLIF
from spikebench.neurons.ipsu import IPSU
from spikebench.neurons.masked_psn import MaskedPSN
from spikebench.neurons.plif import PLIF
from spikebench.neurons.prf import PRF
from spikebench.neurons.psn import PSN
from spikebench.neurons.recurrent_lif import RecurrentLIF
from spikebench.neurons.rpsu import RPSU
from spikebench.neurons.sliding_psn import SlidingPSN


def uniform_within(bound: float, weight: Tensor) -> bool:
    """Whether a large sample looks uniform in (−bound, bound): its range, mean and spread."""
    weight = weight.detach()
    largest, spread = float(weight.abs().max()), float(weight.std())
    centred = abs(float(weight.mean())) < 4 * bound / (3 * weight.numel()) ** 0.5
    return 0.99 * bound < largest <= bound and abs(spread - bound / 3**0.5) < 0.01 * bound and centred


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("cls", [PSN, MaskedPSN])
def test_psn_weights_are_kaiming_uniform_and_biases_minus_one(cls: type[PSN]) -> None:
    neuron = cls(200)
    assert uniform_within(200**-0.5, neuron.weight)
    assert neuron.bias.shape == (200, 1) and bool((neuron.bias == -1).all())


def test_sliding_psn_weights_halve_with_age() -> None:
    assert SlidingPSN(k=4).weight.tolist() == [0.125, 0.25, 0.5, 1.0]
    assert SlidingPSN().bias.tolist() == -1
    assert uniform_within(2000**-0.5, SlidingPSN(k=2000, exp_init=False).weight * 1.0)


@pytest.mark.parametrize("cls", [IPSU, RPSU])
def test_psu_weights_are_kaiming_normal_and_biases_zero(cls: type[IPSU] | type[RPSU]) -> None:
    neuron = cls(200)
    assert float(neuron.weight.detach().std()) == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    assert float(neuron.weight.detach().abs().max()) > 3.5 * (2 / 200) ** 0.5  # normal, not uniform
    assert not neuron.bias.any() and neuron.bias.shape == (200, 1)


def test_the_other_ipsu_starts_as_a_linear_layer_without_bias() -> None:
    neuron = IPSU(200, variant="fpt")
    assert uniform_within(200**-0.5, neuron.weight)
    assert dict(neuron.named_parameters()).keys() == {"weight"}


@pytest.mark.parametrize("tau", [1.25, 2.0, 20.0])
def test_plif_starts_at_its_time_constant(tau: float) -> None:
    assert float(torch.sigmoid(PLIF(tau=tau).w.detach())) == pytest.approx(1 / tau, rel=1e-6)


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_plif_refuses_what_is_no_leak(tau: float) -> None:
    with pytest.raises(ValueError, match="tau"):
        PLIF(tau=tau)


def test_glif_starts_as_published() -> None:
    neuron = GLIF(3, 4)
    starts = {
        "alpha": 0.55,
        "beta": 0.65,
        "gamma": 0.55,
        "tau": 0.25,
        "theta": 0.5,
        "leak": 0.0625,
        "v_re": 0.5,
        "g": 0.5,
    }
    for name, value in starts.items():
        parameter = getattr(neuron, name).detach()
        assert parameter.shape == ((4, 3) if name == "g" else (3,))
        torch.testing.assert_close(torch.sigmoid(parameter), torch.full_like(parameter, value))
    assert float(torch.sigmoid(GLIF(1, 4, leak=0.2).leak.detach())) == pytest.approx(0.2)


def test_prf_steps_and_frequencies_start_in_their_ranges() -> None:
    neuron = PRF(20000)
    log_dt, omega = neuron.log_dt.detach(), neuron.log_omega.detach().exp()
    middle, half = math.log(0.001 * 0.1) / 2, math.log(0.1 / 0.001) / 2
    assert uniform_within(half, log_dt - middle)
    assert uniform_within(math.pi, omega - math.pi)


def test_recurrent_weights_start_uniform() -> None:
    assert uniform_within((3 / 150) ** 0.5, RecurrentLIF(150).weight)
