"""What is special to the spike sampler: its start, its estimator, its pairs and its configuration."""

import numpy as np
import pytest
import torch

from spikebench.neurons.spike_sampler import SpikeSampler


def test_the_estimator_passes_inside_the_clamp_only() -> None:
    q = torch.tensor([-0.5, -1e-9, 0.0, 0.3, 1.0, 1 + 1e-9, 2.0], dtype=torch.float64, requires_grad=True)
    g = torch.arange(1.0, 8.0, dtype=torch.float64)
    s = SpikeSampler(1).fire(q, torch.full_like(q, 0.25))
    assert s.tolist() == [0, 0, 0, 1, 1, 1, 1]
    (got,) = torch.autograd.grad(s, q, g)
    (clamped,) = torch.autograd.grad(q.clamp(0, 1), q, g)
    assert got.equal(clamped)
    assert got.tolist() == [0, 0, 3, 4, 5, 0, 0], "both ends belong to the window, as to that of torch.clamp"


def test_the_rule_of_the_gradient_jumps_at_both_ends_of_the_window() -> None:
    neuron = SpikeSampler(1)
    neuron.score = lambda x: x
    found = neuron.jump(torch.tensor([-0.5, 0.25, 0.875, 1.5], dtype=torch.float64))
    assert found.tolist() == [0.5, 0.25, 0.125, 0.5]


def test_hippo_start_is_the_legs_matrix() -> None:
    """In the basis of pairs the start has LegS' eigenvalues −1 … −S and its response to b: e^{At}b is real-similar."""
    neuron = SpikeSampler(1, ssm="dplr", state=8).double()
    a, b, p = (neuron._complex(k).detach().numpy() for k in "abp")
    full = np.diag(np.concatenate([a, a.conj()])) - np.outer(
        np.concatenate([p, p.conj()]), np.concatenate([p.conj(), p])
    )
    n = np.arange(8)
    legs = -np.tril(np.sqrt(np.outer(2 * n + 1, 2 * n + 1)), -1) - np.diag(n + 1.0)
    enter, start = np.concatenate([b, b.conj()]), np.sqrt(2 * n + 1.0)
    for power in range(6):  # moments b* A^k b do not depend on the basis; float32 parameters
        ours = complex(enter.conj() @ np.linalg.matrix_power(full, power) @ enter).real
        theirs = start @ np.linalg.matrix_power(legs, power) @ start
        assert ours == pytest.approx(theirs, rel=2e-5)


def test_s4d_starts_at_half_damping_and_even_frequencies() -> None:
    neuron = SpikeSampler(2, state=6)
    a, b = (neuron._complex(k).detach() for k in "ab")
    torch.testing.assert_close(a, torch.complex(torch.full((3,), -0.5), -torch.pi * torch.arange(3.0)))
    assert b.tolist() == [1, 1, 1]
    assert neuron.gain.tolist() == [1, 1] and neuron.bias.tolist() == [0, 0]


def test_steps_start_in_their_range_and_the_mean_follows_the_probability() -> None:
    torch.manual_seed(0)
    neuron = SpikeSampler(1000, state=2).double()
    step = neuron._step().detach()
    assert 0.001 <= float(step.min()) < 0.0012 and 0.08 < float(step.max()) <= 0.1001
    x = torch.full((20, 10, 1000), 0.3, dtype=torch.float64)
    with torch.no_grad():
        p, s = neuron.membrane(x), neuron(x)
    error = (p * (1 - p)).sum().sqrt() / p.numel()
    assert abs(float(s.mean() - p.mean())) <= 4 * float(error)
    with torch.no_grad():
        assert not torch.equal(neuron(x), s), "the noise of a call was used again"


def test_odd_states_are_refused() -> None:
    with pytest.raises(ValueError, match="even"):
        SpikeSampler(3, state=7)
