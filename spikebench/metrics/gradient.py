"""Cosine between a neuron's input gradient and that of BPTT through the neuron it is meant to equal, or the LIF it approximates."""

import torch
from torch import Tensor

from spikebench import registry
from spikebench.cases.subject import parse_subject
from spikebench.loading.subject import definition
from spikebench.metric import Running, Unavailable
from spikebench.workloads.layer import spikes_of

unit = "1"
process = "timing"
layer_only = True


def sample(running: Running) -> list[float]:
    """One cosine over all inputs [T, B, N], for the same input and the same incoming gradient.

    The gradient of BPTT is that of the subject that the neuron's file declares as `gradient_reference`, or else as `approximates`. The detail
    holds the ratio of the norms, the largest difference over the largest gradient, and whether the spikes are equal.
    """
    work = running.workload
    case = work.case
    exact = None if case.parsed.foreign else registry.facts(case.parsed.name).attributes.gradient_reference
    declared = case.parsed.approximates if exact is None else exact.format(**case.options)
    if declared is None:
        raise Unavailable(f"{case.subject} declares no neuron whose gradient it is meant to have")
    subject = parse_subject(declared)
    exact = definition(subject, case.N, case.T).rounded(work.x.dtype).to(work.x.device)
    (mine, fired), (theirs, reference) = (_gradient(module, work.x, work.g) for module in (work.module, exact))
    running.detail |= {
        "exact": str(subject),
        "norm_ratio": float(mine.norm() / theirs.norm()),
        "difference": float((mine - theirs).abs().max() / theirs.abs().max()),
        "equal_spikes": torch.equal(fired, reference),
    }
    return [float((mine * theirs).sum() / (mine.norm() * theirs.norm()))]


def _gradient(module: torch.nn.Module, x: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """The input gradient, and the spikes."""
    value = x.detach().clone().requires_grad_()
    spikes = spikes_of(module(value))
    (gradient,) = torch.autograd.grad(spikes, value, g)
    return gradient.double(), spikes.detach()
