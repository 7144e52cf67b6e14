"""Noise-trained single step: one step whose membrane starts from random noise stands for the steps that came before.

    u^l = W s^{l-1} + b + ξ        ξ from the normal distribution N(μ, σ²), drawn anew for each neuron and batch
    s^l = [u^l ≥ θ]        o = W s^L + b
    δ^l = (W^{l+1}ᵀ δ^{l+1}) ⊙ σ'(u^l − θ)        ∂W^l = δ^l (s^{l-1})ᵀ

The network takes the mean of the input over time, once, and is used with all its steps afterwards.
Source: Jiang and Zhang 2022, arXiv 2211.05453, its abstract alone. Which noise they draw and how they convert was not read, and
no public code was found: this is a probable reading, and no claim rests on it.

Options:
    mean: the mean μ of the noise
    spread: its standard deviation σ
"""

import torch
from torch import Tensor
from torch.nn import functional

from spikebench.network import Classifier
from spikebench.scheme import Apply, Gradients
from spikebench.schemes import _ann, _online

SOURCE = (
    "@misc{jiang2022single, author={Jiang, Runhao and Zhang, Jie and others}, title={A noise-based novel strategy for faster"
    " SNN training}, year={2022}, eprint={2211.05453}, archivePrefix={arXiv}}"
)
MEMORY = "1"
EXACT = False
ANN_BRANCH = False
ONLINE = False
VERIFIED = False
BACKENDS = ("eager",)


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    mean: float = 0.0,
    spread: float = 0.3,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch, from one step. The noise comes from torch's generator."""
    s = _ann.mean(x, mask)
    for linear, neuron in _online.layers(stack, "noise_step"):
        current = linear(s)
        s = neuron.step(current + _noise(current, mean, spread), neuron.initial(current.detach()))[0]
    return _ann.by_autograd(stack, stack.readout(s), labels, apply)


def definition(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    mean: float = 0.0,
    spread: float = 0.3,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients with the error of every layer and an outer product for each weight."""
    before, gates = [_ann.mean(x, mask)], list[Tensor]()
    for linear, neuron in _online.layers(stack, "noise_step"):
        current = functional.linear(before[-1], linear.weight.detach(), linear.bias.detach())
        u = (current + _noise(current, mean, spread)).requires_grad_()
        s = neuron.step(u, neuron.initial(current))[0]
        gates += torch.autograd.grad(s.sum(), u)
        before.append(s.detach())
    o = functional.linear(before[-1], stack.readout.weight.detach(), stack.readout.bias.detach())
    loss, delta = _ann.loss_and_error(o, labels)
    return loss, _ann.products(stack, delta, before, gates, (1.0, 1.0))


def _noise(current: Tensor, mean: float, spread: float) -> Tensor:
    """ξ [B, N], the same in every precision."""
    drawn = torch.randn(current.shape, dtype=torch.float64, device=current.device)
    return (mean + spread * drawn).to(current.dtype)
