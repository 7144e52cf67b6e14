"""The implicit gradient of EXODUS and the gradient of SLAYER against backpropagation through time, step by step."""

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from spikebench.neurons.exodus import Exodus
from spikebench.neurons.lif import LIF
from spikebench.neurons.slayer import SLAYER

T, B, N = 200, 2, 6
RELATIVE = 1e-12
CASES = list(itertools.product([0.9, 0.99], [False, True], [None, -0.3], [None, 1], ["sequential", "doubling"]))
IDS = [f"decay={d}-norm={n}-vmin={v}-max={m}-{b}" for d, n, v, m, b in CASES]


def values(cls: type[Exodus], case: tuple[Any, ...], **options: Any) -> tuple[Exodus, Tensor, Tensor, Tensor]:
    """Neuron, input, first state and output gradient."""
    decay, norm_input, v_min, max_spikes, backward = case
    scale = 1 - decay if norm_input else 1.0
    neuron = cls(
        decay=decay,
        norm_input=norm_input,
        v_min=v_min,
        max_spikes=max_spikes,
        backward=backward,
        learn_decay=True,
        threshold=0.9,
        **options,
    ).double()
    generator = torch.Generator().manual_seed(3)
    x = (0.25 + torch.randn(T, B, N, generator=generator, dtype=torch.float64)) / (scale * 2)
    v = torch.randn(B, N, generator=generator, dtype=torch.float64)
    return neuron, x, v, torch.randn(T, B, N, generator=generator, dtype=torch.float64)


def soft(u: Tensor, neuron: Exodus, count: Tensor) -> Tensor:
    """The count with the surrogate's antiderivative as gradient: sign(z)(1 − e^(−k|z|)) has derivative k·e^(−k|z|)."""
    k, z = 1 / (neuron.width * neuron.threshold), u - neuron.threshold
    smooth = torch.sign(z) * (1 - torch.exp(-k * z.abs()))
    return count.detach() + smooth - smooth.detach()


def through_time(neuron: Exodus, x: Tensor, decay: Tensor, v: Tensor, detach: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Spikes, membranes and the last v by plain autograd operations, one step after the other."""
    spikes, membranes = [], []
    for x_t in x:
        u = decay * v + ((1 - decay) * x_t if neuron.norm_input else x_t)
        if neuron.v_min is not None:
            u = torch.where(u < neuron.v_min, torch.full_like(u, neuron.v_min), u)
        count = torch.div(u, neuron.threshold, rounding_mode="floor").clamp(0, neuron.max_spikes)
        s = soft(u, neuron, count)
        v = u - neuron.subtract * (s.detach() if detach else s)
        spikes.append(s)
        membranes.append(u)
    return torch.stack(spikes), torch.stack(membranes), v


def compare(cls: type[Exodus], case: tuple[Any, ...], detach: bool) -> None:
    neuron, x, v, g = values(cls, case, subtract=0.8)
    mine, theirs = [[t.clone().requires_grad_() for t in (x, v)] for _ in range(2)]
    decay = neuron.decay
    assert isinstance(decay, torch.nn.Parameter)
    alone = decay.detach().clone().requires_grad_()
    s, (last,) = neuron(mine[0], (mine[1],), return_state=True)
    s2, _, last2 = through_time(neuron, theirs[0], alone, theirs[1], detach)
    assert torch.equal(s, s2.detach().round()) and s.unique().numel() > (2 if case[3] is None else 1)
    if case[2] is not None:
        assert bool((neuron.membrane(x) == case[2]).any()), "no membrane was cut"
    for weight in (0.0, 1.0):  # without and with a gradient of the final state
        got = torch.autograd.grad((s * g).sum() + weight * (last * g[0]).sum(), (*mine, decay), retain_graph=True)
        want = torch.autograd.grad((s2 * g).sum() + weight * (last2 * g[0]).sum(), (*theirs, alone), retain_graph=True)
        for a, b in zip(got, want, strict=True):
            assert float(b.abs().max()) > 0
            assert float((a - b).abs().max()) <= RELATIVE * float(b.abs().max())


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_exodus_is_backpropagation_through_the_reset(case: tuple[Any, ...]) -> None:
    compare(Exodus, case, detach=False)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_slayer_is_backpropagation_with_the_reset_detached(case: tuple[Any, ...]) -> None:
    compare(SLAYER, case, detach=True)


@pytest.mark.parametrize("cls", [Exodus, SLAYER])
def test_a_membrane_at_its_lower_bound_passes_no_gradient(cls: type[Exodus]) -> None:
    """Silence under v_min = 0 stands at the bound; the published code takes it as cut, as Sinabs' ReLU does."""
    x = torch.zeros(4, 1, 2, dtype=torch.float64)
    x[2] = torch.tensor([0.25, -0.25])
    x.requires_grad_()
    (g,) = torch.autograd.grad(cls(decay=0.5, v_min=0.0).membrane(x).sum(), x)
    assert (g != 0).flatten().tolist() == [False, False, False, False, True, False, True, False]
    if cls is SLAYER:
        assert g[2:, 0, 0].tolist() == [1.5, 1]


@pytest.mark.parametrize("detach", [False, True])
def test_gradient_of_membrane_and_synapse(detach: bool) -> None:
    """A loss on the membrane, through a synapse."""
    cls = SLAYER if detach else Exodus
    neuron, x, v, g = values(cls, (0.95, False, -0.5, None, "doubling"))
    neuron.synapse_decay = 0.7
    x.requires_grad_()
    (got,) = torch.autograd.grad((neuron.membrane(x) * g).sum(), x)
    lag = torch.arange(T, dtype=torch.float64)[:, None] - torch.arange(T)[None]
    kernel = torch.where(lag >= 0, 0.7 ** (lag + 1), 0.0)
    decay = torch.as_tensor(neuron.decay).detach()
    _, u, _ = through_time(neuron, torch.tensordot(kernel, x, 1), decay, torch.zeros_like(v), detach)
    (want,) = torch.autograd.grad((u * g).sum(), x)
    assert float((got - want).abs().max()) <= RELATIVE * float(want.abs().max())


@pytest.mark.parametrize(("cls", "detach"), [(Exodus, False), (SLAYER, True)])
def test_one_spike_a_step_is_the_soft_reset_lif(cls: type[Exodus], detach: bool) -> None:
    """With at most one spike, both are `lif` with the exponential surrogate; they differ in detach_reset alone."""
    neuron = cls(decay=0.93, max_spikes=1, width=0.5).double()
    lif = LIF(decay=0.93, surrogate="exponential", slope=2.0, detach_reset=detach).double()
    _, x, _, g = values(Exodus, (0.93, False, None, 1, "sequential"))
    x.requires_grad_()
    a, b = neuron(x), lif(x)
    assert isinstance(a, Tensor) and isinstance(b, Tensor) and torch.equal(a, b)
    (got,), (want,) = (torch.autograd.grad((s * g).sum(), x) for s in (a, b))
    assert float((got - want).abs().max()) <= RELATIVE * float(want.abs().max())


@pytest.mark.parametrize("decay", [0.9, 0.99])
def test_the_two_gradients_differ(decay: float) -> None:
    _, x, _, g = values(Exodus, (decay, False, None, None, "sequential"))
    x.requires_grad_()
    a, b = (torch.autograd.grad((c(decay=decay).double()(x) * g).sum(), x)[0] for c in (Exodus, SLAYER))
    assert float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0)) < 0.95
