"""Proxy learning: the error of the spiking network's output goes back through a ReLU network with the same weights.

    n = Σ_t s^{out}_t        (counts of the spiking network, whose readout fires too, without a gradient)
    a^0 = x        a^l = relu(W a^{l-1} + b)        y = W a^L + b
    L = mean (n − onehot)²        δ^{out} = 2(n − onehot)/(B·C)
    δ^l = (W^{l+1}ᵀ δ^{l+1}) ⊙ [a^l > 0]        ∂W^l = δ^l (a^{l-1})ᵀ

The loss is that of the spike counts, and all else is the ReLU network's. One backward pass for all T steps: memory does not
grow with T. What is compared with other schemes is the cost; the loss is another one.
Source: Kheradpisheh, Mirsadeghi and Masquelier 2022, arXiv 2109.13208; read in its authors' notebook, SRKH/ProxyLearning.
Their neuron is lif[decay=1.0,threshold=2.0,reset=hard], 15 steps.
Here: of an input that changes the ReLU network takes the mean over time; theirs is an image that does not.
"""

import torch
from torch import Tensor
from torch.nn import functional

from spikebench.network import Classifier
from spikebench.scheme import Apply, Gradients, learned
from spikebench.schemes import _ann

SOURCE = (
    "@article{kheradpisheh2022spiking, author={Kheradpisheh, Saeed Reza and Mirsadeghi, Maryam and Masquelier, Timothée},"
    " title={Spiking Neural Networks Trained via Proxy}, journal={IEEE Access}, volume={10}, year={2022}}"
)
MEMORY = "1"
EXACT = False
ANN_BRANCH = True
ONLINE = False
VERIFIED = True
BACKENDS = ("eager",)


def gradients(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None, apply: Apply | None = None
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch: T steps without a gradient, then one step of the ReLU network."""
    n, a = _ann.counts(stack, x, mask, "proxy", fires=True)[-1], _ann.mean(x, mask)
    for linear in _ann.linears(stack):
        a = linear(a).relu()
    away = n - functional.one_hot(labels, n.shape[-1]).to(n.dtype)
    parameters = learned(stack)
    found = torch.autograd.grad(stack.readout(a), parameters, 2 * away / away.numel())
    made = dict(zip(parameters, found, strict=True))
    if apply is not None:
        apply(made)
    return away.square().mean(), made


def definition(stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Gradients]:
    """The same, with the errors of every layer written down."""
    n, a = _ann.counts(stack, x, mask, "proxy", fires=True)[-1], [_ann.mean(x, mask)]
    for linear in _ann.linears(stack):
        a.append((a[-1] @ linear.weight.detach().t() + linear.bias.detach()).clamp_min(0))
    away = n - torch.eye(n.shape[-1], dtype=n.dtype, device=n.device)[labels]
    gates = [(each > 0).to(x.dtype) for each in a[1:]]
    return away.square().mean(), _ann.products(stack, 2 * away / away.numel(), a, gates, (1.0, 1.0))
