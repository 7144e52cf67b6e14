"""P-SpikeSSM against its equations in NumPy, its causality, its noise, and that all of it learns."""

import math
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from oracles.spike_sampler import kernel
from torch import Tensor, nn

from spikebench.backends.fft import gelu_sampler
from spikebench.cases.named import parse_network
from spikebench.network import StepNorm, load
from spikebench.networks._p_spikessm import Block, ClampSampler, PSpikeSSM
from spikebench.neurons.gelu_sampler import GeluSampler, dropped
from spikebench.neurons.lif import LIF
from spikebench.neurons.spike_sampler import SpikeSampler
from spikebench.numerics import philox
from spikebench.numerics.scan import causal_convolution

Array = NDArray[np.float64]
T, B, N = 13, 3, 4
CONFIGURATIONS = [("s4d", "batch", True), ("dplr", "batch", False), ("dplr", "layer", False), ("s4d", "layer", True)]
FORMS = [(True, False), (False, False), (True, True), (False, True)]  # residual, bidirectional


def gelu(x: Array) -> Array:
    return x * (1 + np.vectorize(math.erf)(x / math.sqrt(2))) / 2


def stack(ssm: Any = "s4d", norm: Any = "batch", prenorm: bool = True, layers: int = 2, **form: Any) -> PSpikeSSM:
    """A small stack in float64 with every parameter away from its start, in eval mode."""
    torch.manual_seed(1)
    how: dict[str, Any] = {"norm": norm, "prenorm": prenorm, **form}
    model = PSpikeSSM(2, N, layers, 5, lambda n: GeluSampler(n, ssm=ssm, state=6), **how).double()
    for module in model.modules():
        if isinstance(module, Block):
            nn.init.uniform_(module.gain, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.1, 0.6)
            nn.init.uniform_(module.mix.weight, -1, 1)
            if len(module.neurons) > 1:
                nn.init.uniform_(module.gain2, 0.5, 1.5)
                nn.init.uniform_(module.bias2, 0.1, 0.6)
        if isinstance(module, SpikeSampler):
            nn.init.uniform_(module.gain, 0.5, 1.5)
            nn.init.uniform_(module.bias, 0.1, 0.6)
        if isinstance(module, StepNorm):
            for name in ("running_mean", "running_var", "weight", "bias"):
                getattr(module, name).data.uniform_(0.2, 1.2)
    return model.eval()


def values(module: nn.Module) -> dict[str, Array]:
    return {k: v.detach().numpy().astype(float) for k, v in module.state_dict().items()}


def normed(norm: nn.Module, x: Array) -> Array:
    p = values(norm)
    if isinstance(norm, StepNorm):
        return (x - p["running_mean"]) / np.sqrt(p["running_var"] + 1e-5) * p["weight"] + p["bias"]
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * p["weight"] + p["bias"]


def drawn(seed: int, site: int, call: int) -> Array:
    return philox.uniforms(seed, call, site, torch.Size((T, B, N)), torch.device("cpu")).double().numpy()


def by_hand(model: PSpikeSSM, x: Array, ssm: str, prenorm: bool, call: int, residual: bool, both: bool) -> Array:
    """The logits, step by step as the equations stand, convolution as a sum over lags."""
    r, site = x @ model.encoder.weight.detach().numpy().T + model.encoder.bias.detach().numpy(), 0
    for block in model.blocks:
        assert isinstance(block, Block)
        p = values(block)
        scores = [p["gain"] * r + p["bias"]]
        if prenorm:
            scores[0] = normed(block.norm, scores[0])
        if both:
            scores.append(p["gain2"] * r + p["bias2"])
        fired = []
        for k, (q, neuron) in enumerate(zip(scores, block.neurons, strict=True)):
            inner = values(neuron)
            s = (drawn(0, site + k, call) < q).astype(float)
            response = kernel(T, ssm, inner)
            y = np.stack([sum(response[lag] * s[t - lag] for lag in range(t + 1)) for t in range(T)]) + inner["d"] * s
            second = inner["gain"] * gelu(y) + inner["bias"]
            fired.append((drawn(0, site + len(scores) + k, call) < second).astype(float))
        site += 2 * len(scores)
        out = gelu(np.concatenate(fired, -1) @ p["mix.weight"].T + p["mix.bias"])
        r = r + out if residual else out
        if not prenorm:
            r = normed(block.norm, r)
    if prenorm:
        r = normed(model.norm, r)
    return r.mean(0) @ model.readout.weight.detach().numpy().T + model.readout.bias.detach().numpy()


@pytest.mark.parametrize(("ssm", "norm", "prenorm"), CONFIGURATIONS)
@pytest.mark.parametrize(("residual", "both"), FORMS)
def test_the_stack_is_what_its_equations_say(ssm: str, norm: str, prenorm: bool, residual: bool, both: bool) -> None:
    model = stack(ssm, norm, prenorm, residual=residual, bidirectional=both)
    x = torch.randn(T, B, 2, dtype=torch.float64)
    for call in range(2):
        want = by_hand(model, x.numpy(), ssm, prenorm, call, residual, both)
        np.testing.assert_allclose(model(x).detach().numpy(), want, rtol=1e-6)
    assert len(model.spike_rates) == len(model.neurons) == (4 if both else 2)
    assert all(0.02 < rate < 0.98 for rate in model.spike_rates), "spikes that never change would test nothing"


@pytest.mark.parametrize("ssm", ["s4d", "dplr"])
@pytest.mark.parametrize("steps", [1, 7, 64])
def test_the_convolution_is_the_definitions_recurrence(ssm: Any, steps: int) -> None:
    torch.manual_seed(0)
    neuron = GeluSampler(5, ssm=ssm, state=8).double()
    x = torch.randn(steps, 2, 5, dtype=torch.float64)
    found = causal_convolution(x, gelu_sampler.kernel(neuron, steps)) + neuron.d * x
    torch.testing.assert_close(found, neuron.filtered(x), rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(gelu_sampler.score(neuron, x), neuron.score(x), rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("ssm", "norm", "prenorm"), CONFIGURATIONS)
def test_what_comes_changes_nothing_before(ssm: str, norm: str, prenorm: bool) -> None:
    model = stack(ssm, norm, prenorm)
    first = model.blocks[0]
    x = torch.randn(T, B, N, dtype=torch.float64)
    changed = x.clone()
    changed[8:] += 3

    def out(x: Tensor) -> Tensor:
        for module in first.modules():
            if isinstance(module, ClampSampler | SpikeSampler):
                module.calls = 0
        return first(x)

    before, after = out(x), out(changed)
    torch.testing.assert_close(before[:8], after[:8], rtol=0, atol=1e-9)
    assert not before[8:].allclose(after[8:])


def test_batch_norm_leaks_the_future_in_training_mode_only() -> None:
    model = stack("s4d", "batch", prenorm=True)
    block = model.blocks[0]
    x = torch.randn(T, B, N, dtype=torch.float64)
    changed = x.clone()
    changed[8:] += 3
    norm = block.norm
    assert isinstance(norm, StepNorm)
    assert norm(x)[:8].equal(norm(changed)[:8])
    norm.train()
    assert not norm(x)[:8].allclose(norm(changed)[:8])


def test_every_sampling_has_fresh_noise() -> None:
    model = stack()
    samplers = [m for m in model.modules() if isinstance(m, ClampSampler | SpikeSampler)]
    assert [m.site for m in samplers] == [0, 1, 2, 3]
    zeros = torch.zeros(50, 4, 8)
    draws = [m.draw(zeros) for m in samplers for _ in range(2)]
    assert all(not a.equal(b) for k, a in enumerate(draws) for b in draws[:k])
    flat = torch.stack([d.flatten() for d in draws])
    off = torch.corrcoef(flat) - torch.eye(len(draws))
    assert off.abs().max() < 5 / math.sqrt(flat.shape[1])


MAKES = [lambda n: GeluSampler(n, state=4), lambda n: SpikeSampler(n, state=4), lambda n: LIF()]


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("both", [False, True])
def test_everything_learns(make: Callable[[int], nn.Module], both: bool) -> None:
    torch.manual_seed(0)
    model = PSpikeSSM(2, 16, 2, 5, make, state=4, bidirectional=both)  # of 4 neurons, none may start inside its window
    nn.functional.cross_entropy(model(torch.randn(40, 8, 2)), torch.arange(8) % 5).backward()
    assert all(bool(p.grad.isfinite().all()) for p in model.parameters() if p.grad is not None)
    learned = {k: p for k, p in model.named_parameters() if p.requires_grad}
    assert len(list(model.parameters())) - len(learned) == (4 if both else 0), "gain' and bias' of the second SSM"
    unused = {k for k, p in learned.items() if p.grad is None or not p.grad.any()}
    assert not unused


@pytest.mark.parametrize(("norm", "prenorm"), [("batch", True), ("layer", False)])
def test_padding_behind_changes_nothing(norm: str, prenorm: bool) -> None:
    model = stack("s4d", norm, prenorm)
    x = torch.randn(9, 1, 2, dtype=torch.float64)
    padded = torch.cat([x, torch.full((4, 1, 2), 7.0, dtype=torch.float64)])
    mask = torch.arange(13)[:, None] < 9
    logits = []
    for given, valid in ((x, None), (padded, mask)):
        for module in model.modules():
            if isinstance(module, ClampSampler | SpikeSampler):
                module.calls = 0
        logits.append(model(given, valid))
    torch.testing.assert_close(*logits, rtol=1e-9, atol=1e-9)


def test_the_clamp_sampler_fires_with_its_clamped_input() -> None:
    sampler = ClampSampler()
    x = torch.tensor([-0.5, 0.0, 0.2, 0.7, 1.0, 1.5]).expand(4000, 1, 6).clone().requires_grad_()
    s = sampler(x)
    error = (x * (1 - x)).clamp_min(0)[0, 0].sqrt() / math.sqrt(4000)
    assert ((s.mean((0, 1)) - x.clamp(0, 1)[0, 0]).abs() <= 4 * error + 1e-7).all()
    (g,) = torch.autograd.grad(s.sum(), x)
    assert g[0, 0].tolist() == [0, 1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("name", "sizes", "state"),
    [("psmnist", (784, 64, 400, 2), 64), ("listops", (2000, 32, 128, 4), 16), ("image", (1024, 50, 512, 6), 64)],
)
def test_published_configurations(name: str, sizes: tuple[int, ...], state: int) -> None:
    said = parse_network(name).published
    assert (said.T, said.B, said.sizes["width"], said.sizes["layers"]) == sizes
    assert f"state={state}]" in said.neuron


@pytest.mark.parametrize(
    ("name", "two", "residual", "last", "dropout"),  # configs/experiment/lra of NeuroCompLab-psu/PSpikeSSMs at 8f7a954
    [
        ("psmnist", False, False, True, 0.1),
        ("listops", True, True, False, 0.0),
        ("text", True, True, True, 0.05),
        ("image", True, True, False, 0.1),
        ("pathfinder", True, True, True, 0.1),
    ],
)
def test_published_forms(name: str, two: bool, residual: bool, last: bool, dropout: float) -> None:
    model = load(name).build(lambda n: GeluSampler(n, state=2), 3, 4, 2, 5)
    assert isinstance(model, PSpikeSSM) and isinstance(model.norm, StepNorm) == last
    for block in model.blocks:
        assert isinstance(block, Block)
        assert (len(block.neurons) == 2, block.residual, block.prenorm, block.dropout) == (two, residual, last, dropout)
        assert all(isinstance(n, GeluSampler) and n.dropout == dropout for n in block.neurons)


def test_dropout_takes_whole_series_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = torch.rand(5, 40, 300) + 1
    out = dropped(x, 0.1, training=True)
    gone = out == 0
    assert torch.equal(gone, gone[:1].expand_as(gone)) and float(gone.float().mean()) == pytest.approx(0.1, abs=0.01)
    torch.testing.assert_close(out[~gone], x[~gone] / 0.9)
    assert dropped(x, 0.1, training=False) is x


def test_dropout_stands_where_the_authors_have_it() -> None:
    """Behind the SSM, behind its GELU, and on what the residual is added to, where there is one."""
    torch.manual_seed(0)
    x, counts = torch.rand(T, B, N), {}
    for residual in (True, False):
        model = PSpikeSSM(2, N, 1, 5, lambda n: GeluSampler(n, state=2), dropout=0.1, residual=residual)
        seen: list[torch.Size] = []
        with patch.object(
            nn.functional, "dropout", lambda ones, p, seen=seen: seen.append(ones.shape) or ones * (p == 0.1)
        ):
            model.blocks[0](x)
        assert {*seen} == {torch.Size((B, N))}
        counts[residual] = len(seen)
    assert counts == {True: 3, False: 2}
