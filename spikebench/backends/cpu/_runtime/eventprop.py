"""EventProp on a grid as one fused pass over time, and one back."""

import torch
from torch import Tensor

from spikebench.backends.cpu._kernels import eventprop as kernels
from spikebench.backends.cpu._runtime.threads import accept, launch, rows
from spikebench.numerics.events import Constants

BLOCK = 2048  # series


def forward(neuron: Constants, x: Tensor) -> tuple[Tensor, Tensor]:
    """Spikes of lif, and how fast the membrane would rise at the threshold, of currents x [T, B, N]."""
    accept(x)
    flat, spikes, rises = rows(x), torch.empty_like(x), torch.empty_like(x)
    launch(kernels.forward, [flat, rows(spikes), rows(rises), _constants(neuron, 0.0, x)], most=BLOCK)
    return spikes, rises


def backward(neuron: Constants, spikes: Tensor, rises: Tensor, errors: Tensor, grazing: float) -> tuple[Tensor, Tensor]:
    """g (P − Q) and g (P/τ − Q/τ_s) of every step, by the errors of its spikes: all [T, B, N]."""
    by_current, by_time = torch.empty_like(spikes), torch.empty_like(spikes)
    arrays = [rows(errors), rows(spikes), rows(rises), rows(by_current), rows(by_time)]
    launch(kernels.backward, [*arrays, _constants(neuron, grazing, spikes)], most=BLOCK)
    return by_current, by_time


def _constants(neuron: Constants, grazing: float, like: Tensor) -> Tensor:
    c = torch.zeros(1, kernels.CONSTANTS, dtype=torch.float64)
    level = neuron.threshold / neuron.tau
    c[0, kernels.DECAY], c[0, kernels.SYNAPSE] = neuron.decays
    c[0, kernels.THRESHOLD], c[0, kernels.LEVEL], c[0, kernels.LEAST] = neuron.threshold, level, grazing * level
    c[0, kernels.RISE], c[0, kernels.GAIN], c[0, kernels.ONE] = neuron.rise_by_current, neuron.gain, 1.0
    c[0, kernels.SLOW], c[0, kernels.FAST] = neuron.gain / neuron.tau, neuron.gain / neuron.tau_s
    return c.to(like.dtype)
