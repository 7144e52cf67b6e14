"""Bias of a stochastic neuron's gradient estimator against the exact gradient of the expectation, by enumeration."""

import copy
import itertools

import torch
from torch import Tensor

from spikebench.loading.subject import definition_of
from spikebench.metric import Running, Unavailable
from spikebench.neuron import StochasticNeuron

unit = "1"
process = "timing"
layer_only = True

STEPS, SERIES, POINTS = 4, 8, 64


def sample(running: Running) -> list[float]:
    """|expected estimate − exact gradient| ÷ |exact gradient| for each of 8 series of 4 steps; the detail has the cosines.

    The loss is the squared error of a random linear readout; the expectation is over all 2⁴ spike patterns. Estimates
    that depend on the uniform are averaged over 64 points of its interval. (Where the loss is linear in each spike,
    g·p' is exact, and every bias shown here is the estimator's own.)
    """
    neuron = definition_of(running.workload.module)
    if not isinstance(neuron, StochasticNeuron):
        raise Unavailable("only a stochastic neuron estimates the gradient of an expectation")
    if running.workload.x.shape[0] < STEPS:
        raise Unavailable(f"needs at least {STEPS} steps")
    neuron = copy.deepcopy(neuron).double()
    series = running.workload.x.detach()[:STEPS].double().reshape(STEPS, -1)[:, :SERIES]
    pairs = [_gradients(neuron, series[:, [k]].unsqueeze(-1), k) for k in range(series.shape[1])]
    running.detail["cosine"] = [float((a * b).sum() / (a.norm() * b.norm())) for a, b in pairs]
    return [float((a - b).norm() / b.norm()) for a, b in pairs]


def _gradients(neuron: StochasticNeuron, x: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    """Expected estimate and exact gradient with respect to x [T, 1, 1]."""
    weights = torch.randn(STEPS, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    patterns = torch.tensor(list(itertools.product([0.0, 1.0], repeat=STEPS)), dtype=torch.float64).T  # [T, 2^T]
    value = x.clone().requires_grad_()
    p = neuron.membrane(value).clamp(0, 1)[:, :, 0]  # [T, 1]
    chance = (patterns * p + (1 - patterns) * (1 - p)).prod(0)
    (exact,) = torch.autograd.grad((chance * _loss(patterns, weights)).sum(), value)
    p = p.detach()
    estimate = torch.zeros_like(x)
    for point in (torch.arange(POINTS, dtype=torch.float64) + 0.5) / POINTS:
        uniforms = torch.where(patterns > 0, p * point, p + (1 - p) * point)
        value = x.expand(-1, patterns.shape[1], -1).clone().requires_grad_()
        spikes = neuron(value, uniforms=uniforms[..., None])
        free = spikes[..., 0].detach().requires_grad_()
        (g,) = torch.autograd.grad(_loss(free, weights).sum(), free)
        (gradient,) = torch.autograd.grad(spikes, value, (g * chance.detach())[..., None])
        estimate += gradient.sum(1, keepdim=True) / POINTS
    return estimate, exact


def _loss(spikes: Tensor, weights: Tensor) -> Tensor:
    """Squared error of a linear readout, (w·s − 1)²: [patterns]."""
    return (weights @ spikes - 1).square()
