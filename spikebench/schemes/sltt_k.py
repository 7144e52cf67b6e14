"""SLTT-K: SLTT that learns from K steps of a batch, drawn anew each time, and runs the others without a gradient.

    ∂W^l = Σ_{t ∈ S} δ^l_t (s^{l-1}_t)ᵀ        ∂b^l = Σ_{t ∈ S} δ^l_t        S = K of the T steps, drawn evenly

The loss of a step is still divided by T, and that of the batch is the sum over S: both are K/T of those of SLTT on average.
Source: Meng, Xiao, Yan, Wang, Lin and Luo 2023, arXiv 2302.14311; read in its authors' code, qymeng94/SLTT: K = 2 at 6 or 10 steps, 4 at 20.

Options:
    k: how many steps are learned from; all if there are fewer
"""

import torch
from torch import Tensor, nn

from spikebench.network import Classifier
from spikebench.scheme import Apply, Gradients
from spikebench.schemes import _online
from spikebench.units import Count

SOURCE = (
    "@inproceedings{meng2023towards, author={Meng, Qingyan and Xiao, Mingqing and Yan, Shen and Wang, Yisen and Lin, Zhouchen"
    " and Luo, Zhi-Quan}, title={Towards Memory- and Time-Efficient Backpropagation for Training Spiking Neural Networks},"
    " booktitle={ICCV}, year={2023}}"
)
MEMORY = "1"
EXACT = False
ANN_BRANCH = False
ONLINE = True
VERIFIED = True
BACKENDS = ("eager",)


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    k: Count = 2,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch. The steps come from torch's generator on the CPU."""
    return _online.gradients(stack, x, labels, mask, apply, rule_of(stack, len(x), k))


def definition(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None, *, k: Count = 2
) -> tuple[Tensor, Gradients]:
    """The same as sums over all steps; from the same state of torch's generator it draws the same steps."""
    return _online.definition(stack, x, labels, mask, rule_of(stack, len(x), k))


def rule_of(stack: nn.Module, steps: int, k: int) -> _online.Rule:
    """K steps that are drawn, and no trace."""
    chosen = frozenset(torch.randperm(steps)[:k].tolist())
    return _online.Rule("sltt_k", (None,) * (len(_online.layers(stack, "sltt_k")) + 1), chosen)
