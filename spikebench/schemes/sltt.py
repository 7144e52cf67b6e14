"""SLTT, spatial learning through time: the gradient of every step alone, as if there were no earlier ones.

    u_t = λ·sg(v_{t-1}) + x_t
    δ^L_t = ∂L_t/∂o_t      δ^l_t = (W^{l+1}ᵀ δ^{l+1}_t) ⊙ σ'(u^l_t − θ)
    ∂W^l = Σ_t δ^l_t (s^{l-1}_t)ᵀ        ∂b^l = Σ_t δ^l_t

It is OTTT without the trace. The state is detached at every step, so that memory does not grow with T. With one step it equals BPTT.
Source: Meng, Xiao, Yan, Wang, Lin and Luo 2023, arXiv 2302.14311; read in its authors' code, qymeng94/SLTT.
"""

from torch import Tensor, nn

from spikebench.network import Classifier
from spikebench.scheme import Apply, Gradients
from spikebench.schemes import _online

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
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None, apply: Apply | None = None
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch."""
    return _online.gradients(stack, x, labels, mask, apply, rule_of(stack))


def definition(stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Gradients]:
    """The same as sums over all steps."""
    return _online.definition(stack, x, labels, mask, rule_of(stack))


def rule_of(stack: nn.Module) -> _online.Rule:
    """No trace anywhere."""
    return _online.Rule("sltt", (None,) * (len(_online.layers(stack, "sltt")) + 1))
