"""The state-space model of the GELU sampler as one causal convolution with its kernel, as its authors compute it."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikebench.neurons.gelu_sampler import GeluSampler
from spikebench.numerics.scan import causal_convolution

if TYPE_CHECKING:
    from spikebench.cases.case import Case

SPECTRAL = True  # errors are relative to the largest entry of a series, see gate.py


def refuses(case: "Case") -> str | None:
    """float32 and float64 only: PyTorch has no FFT in half precision but for a few sizes on a GPU."""
    return None if case.dtype in ("float32", "float64") else f"PyTorch has no FFT in {case.dtype}"


def run(neuron: GeluSampler, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes [T, B, N]; work O(T log T). The kernel is made at every call because it learns."""
    return neuron.fire(score(neuron, x), neuron.draw(x, seed))


def score(neuron: GeluSampler, x: Tensor) -> Tensor:
    """q [T, B, N], the probability before it is clamped."""
    return neuron.scored(causal_convolution(x, kernel(neuron, x.shape[0])) + neuron.d * x)


def kernel(neuron: GeluSampler, steps: int) -> Tensor:
    """Response of y to a unit input, without d·x: [T, N]."""
    if neuron.ssm == "s4d":
        decay, weight = neuron.discrete()  # [S/2, N]
        return 2 * (weight * decay ** torch.arange(steps, device=decay.device)[:, None, None]).sum(1).real
    matrix, enter, leave = neuron.dense()
    h = enter[..., None]  # [N, S, steps so far], doubled until all are there
    while h.shape[-1] < steps:
        h = torch.cat([h, matrix @ h], dim=-1)
        matrix = matrix @ matrix
    return torch.einsum("ns,nst->tn", leave, h[..., :steps]).real
