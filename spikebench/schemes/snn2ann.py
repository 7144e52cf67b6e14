"""SNN2ANN: the spiking branch counts without a gradient, and an ANN branch with the same weights learns from the counts.

    n^l = Σ_t s^l_t        (spike counts of T steps, without a gradient)
    r^l = relu(W z^{l-1} + T·b)        z^0 = Σ_t x_t
    z^l = n^l        (stsu)        z^l = n^l·[r^l > 0]        (resu)        ∂z^l/∂r^l = 1
    o = W z^L / T + b
    δ^l = (W^{l+1}ᵀ δ^{l+1}) ⊙ [r^l > 0]        ∂W^l = δ^l (z^{l-1})ᵀ

One backward pass for all T steps: memory does not grow with T. In T·b stands the bias of the stack, which is a current of
every step; the authors have b/T in the spiking branch instead, which is the same network.
Source: Tang, Lai, Xie, Yang and Zheng 2022, arXiv 2206.09449; read in its authors' code, TJXTT/SNN2ANN.
Left out: BatchNorm, both dropouts, and the thresholds that adapt. Their neuron is
lif[decay=1.0,threshold=0.5,reset=hard,strict=true,shared=false,spread=1.0], with thresholds drawn evenly from 0 to 1.
Here: what the ANN branch takes is the sum of an input that changes; theirs is an image that does not.

Options:
    unit: resu counts only where the ANN branch is active, stsu everywhere
"""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn import functional

from spikebench.network import Classifier
from spikebench.scheme import Apply, Gradients
from spikebench.schemes import _ann

SOURCE = (
    "@misc{tang2022snn2ann, author={Tang, Jianxiong and Lai, Jianhuang and Xie, Xiaohua and Yang, Lingxiao and Zheng,"
    " Wei-Shi}, title={SNN2ANN: A Fast and Memory-Efficient Training Framework for Spiking Neural Networks}, year={2022},"
    " eprint={2206.09449}, archivePrefix={arXiv}}"
)
MEMORY = "1"
EXACT = False
ANN_BRANCH = True
ONLINE = False
VERIFIED = True
BACKENDS = ("eager",)

Unit = Literal["resu", "stsu"]


class _Counted(torch.autograd.Function):
    """The count forward, the gradient straight through to what stands for it."""

    @staticmethod
    def forward(ctx: Any, r: Tensor, count: Tensor) -> Tensor:
        return count.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad, None


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    unit: Unit = "resu",
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch: T steps without a gradient, then one step of the ANN branch."""
    found, steps, z = _ann.counts(stack, x, mask, "snn2ann"), _ann.lengths(x, mask), _ann.summed(x, mask)
    for linear, n in zip(_ann.linears(stack), found, strict=True):
        r = (functional.linear(z, linear.weight) + steps * linear.bias).relu()
        z = _Counted.apply(r, n if unit == "stsu" else n * (r > 0))
    o = functional.linear(z / steps, stack.readout.weight, stack.readout.bias)
    return _ann.by_autograd(stack, o, labels, apply)


def definition(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None, *, unit: Unit = "resu"
) -> tuple[Tensor, Gradients]:
    """Loss and gradients with the errors of every layer written down."""
    found, steps, z = _ann.counts(stack, x, mask, "snn2ann"), _ann.lengths(x, mask), [_ann.summed(x, mask)]
    gates: list[Tensor] = []
    for linear, n in zip(_ann.linears(stack), found, strict=True):
        active = z[-1] @ linear.weight.detach().t() + steps * linear.bias.detach() > 0
        gates.append(active.to(x.dtype))
        z.append(n if unit == "stsu" else n * gates[-1])
    o = z[-1] @ stack.readout.weight.detach().t() / steps + stack.readout.bias.detach()
    loss, delta = _ann.loss_and_error(o, labels)
    return loss, _ann.products(stack, delta, z, gates, (steps, 1 / steps))
