"""The LIF solved in rounds is the LIF: same spikes, same gradients, whatever the drive and the number of rounds."""

import pytest
import torch
from torch import Tensor

from spikebench.backends.scan import newton_lif as scan
from spikebench.neurons.lif import LIF
from spikebench.neurons.newton_lif import NewtonLIF
from spikebench.numerics.jumps import hard_reset_spikes

T, B, N = 2048, 2, 8


def drive(kind: str, decay: float) -> Tensor:
    """noise: fires often; constant: each series its own level; weak: stays near the threshold and rarely passes."""
    noise = torch.randn(T, B, N, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    rest = 1 - decay  # a constant input c settles at c/(1 − decay)
    if kind == "noise":
        return 0.2 + 0.8 * noise
    if kind == "constant":
        return rest * torch.linspace(0.9, 3.0, B * N, dtype=torch.float64).view(1, B, N).expand(T, B, N).contiguous()
    return rest * 0.7 + 0.12 * rest**0.5 * noise


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["noise", "constant", "weak"])
def test_spikes_and_gradients_are_those_of_the_loop(kind: str, decay: float) -> None:
    x = drive(kind, decay).requires_grad_()
    neuron, lif = NewtonLIF(decay=decay), LIF(decay=decay, reset="hard")
    s, expected = neuron(x), lif(x)
    assert isinstance(expected, Tensor) and torch.equal(s, expected)
    assert 0 < float(s.detach().mean()) < 1
    assert 1 <= neuron.rounds_used <= 16 and 0 < neuron.parallel_share <= 1
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    (got,), (want,) = torch.autograd.grad(s, x, g), torch.autograd.grad(expected, x, g)
    assert float((got - want).abs().max()) <= 1e-11 * float(want.abs().max())


@pytest.mark.parametrize("rounds", [0, 1, 3, 1000])
def test_the_number_of_rounds_changes_nothing(rounds: int) -> None:
    x = drive("noise", 0.9)[:300]
    neuron = NewtonLIF(rounds=rounds)
    s, expected = neuron(x), LIF(reset="hard")(x)
    assert isinstance(expected, Tensor) and torch.equal(s, expected)
    assert neuron.rounds_used <= min(rounds, 200), "rounds end when the guess holds"
    assert (neuron.parallel_share == 1) == (neuron.loop_steps == 0) == (rounds == 1000)
    assert neuron.loop_steps <= 300 - min(rounds, 300) and (rounds > 0 or neuron.loop_steps == 300)
    assert neuron.parallel_share >= min(rounds, 300) / 300, "every round resolves at least one step"


def test_a_detached_reset_is_lifs() -> None:
    x = drive("noise", 0.9)[:300].requires_grad_()
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    lif = LIF(reset="hard", detach_reset=True)(x)
    assert isinstance(lif, Tensor)
    (got,), (want,) = (torch.autograd.grad(s, x, g) for s in (NewtonLIF(detach_reset=True)(x), lif))
    assert float((got - want).abs().max()) <= 1e-12 * float(want.abs().max())


def test_constant_drive_resolves_slowly() -> None:
    """The honest worst case: each round settles about one interval between spikes."""
    x = drive("constant", 0.9)
    neuron = NewtonLIF(rounds=16)
    neuron(x)
    assert neuron.rounds_used == 16 and neuron.loop_steps > 0.95 * T
    assert neuron.parallel_share < 0.1


@pytest.mark.parametrize("decay", [0.0, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("kind", ["noise", "constant", "weak"])
def test_jumps_from_spike_to_spike_are_those_of_the_loop(kind: str, decay: float) -> None:
    """In float64 no rounding moves a spike here, so that one round confirms the guess, however the LIF is driven."""
    x = drive(kind, min(decay, 0.99))[:600].requires_grad_()
    neuron, lif = NewtonLIF(decay=decay), LIF(decay=decay, reset="hard")
    expected = lif(x)
    assert isinstance(expected, Tensor) and torch.equal(hard_reset_spikes(x.detach(), decay, 1.0), expected)
    s = scan.run(neuron, x)
    assert torch.equal(s, expected) and neuron.rounds_used == 1 and neuron.loop_steps == 0
    g = torch.randn(x.shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    (got,), (want,) = torch.autograd.grad(s, x, g), torch.autograd.grad(expected, x, g)
    assert float((got - want).abs().max()) <= 1e-11 * float(want.abs().max())


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 8, 9])
def test_jumps_end_with_the_steps(steps: int) -> None:
    x = drive("noise", 0.9)[:steps] + 0.5
    assert torch.equal(hard_reset_spikes(x, 0.9, 1.0), LIF(reset="hard")(x))


def test_a_guess_that_is_wrong_costs_rounds_and_no_spike() -> None:
    x = drive("noise", 0.9)[:300].float()
    x[100] = torch.nan
    neuron = NewtonLIF(rounds=1000)
    wrong = hard_reset_spikes(x, 0.8, 1.0)
    assert torch.equal(neuron.from_guess(x, wrong), LIF(reset="hard")(x)) and neuron.rounds_used > 1
