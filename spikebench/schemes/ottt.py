"""OTTT, online training through time: the trace of the spikes that came before a synapse stands for the past.

    u_t = λ·sg(v_{t-1}) + x_t        (the membrane is detached at every step)
    a_t = λ·a_{t-1} + s_t,  a_0 = 0  (trace of a layer's own output)
    δ^L_t = ∂L_t/∂o_t      δ^l_t = (W^{l+1}ᵀ δ^{l+1}_t) ⊙ σ'(u^l_t − θ)
    ∂W^l = Σ_t δ^l_t (a^{l-1}_t)ᵀ        ∂b^l = Σ_t δ^l_t

λ is the neuron's decay; sg stops the gradient. Only the gradient of the weights takes the trace: δ goes back through W as it
does anywhere. Nothing of a step is kept but state, trace and sums, so that memory does not grow with T.
With one step it equals BPTT, and with λ = 0 SLTT.
Source: Xiao, Meng, Zhang, He and Lin 2022, arXiv 2210.04195; read in its authors' code, pkuxmq/OTTT-SNN.

Options:
    update: sum learns once a batch (OTTT_A), online once a time step (OTTT_O)
    input_trace: the first layer takes the trace of the input, too; the authors' first layer takes the input as it is
    readout_trace: the readout takes the trace of the last spikes, as in the authors' code, though it has no memory
"""

from typing import Literal

from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.network import Classifier
from spikebench.neurons.lif import LIF
from spikebench.scheme import Apply, Gradients
from spikebench.schemes import _online

SOURCE = (
    "@inproceedings{xiao2022online, author={Xiao, Mingqing and Meng, Qingyan and Zhang, Zongpeng and He, Di and Lin,"
    " Zhouchen}, title={Online Training Through Time for Spiking Neural Networks}, booktitle={NeurIPS}, year={2022}}"
)
MEMORY = "1"
EXACT = False
ANN_BRANCH = False
ONLINE = True
VERIFIED = True
NEURONS = ("lif",)
BACKENDS = ("eager",)

Update = Literal["sum", "online"]


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    update: Update = "sum",
    input_trace: bool = False,
    readout_trace: bool = True,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch; with update="online" `apply` gets those of every time step."""
    rule = rule_of(stack, update, input_trace, readout_trace)
    return _online.gradients(stack, x, labels, mask, apply, rule)


def definition(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    *,
    update: Update = "sum",
    input_trace: bool = False,
    readout_trace: bool = True,
) -> tuple[Tensor, Gradients]:
    """The same as sums over all steps."""
    rule = rule_of(stack, update, input_trace, readout_trace)
    return _online.definition(stack, x, labels, mask, rule)


def rule_of(stack: nn.Module, update: Update, input_trace: bool, readout_trace: bool) -> _online.Rule:
    """What is traced. Raises Refused for a neuron whose past is not λ^{t−k}."""
    decays = list[float | None]()
    for _, neuron in _online.layers(stack, "ottt"):
        if not isinstance(neuron, LIF) or neuron.synapse_decay is not None or neuron.refractory:
            raise Refused(
                "ottt is derived for a membrane that leaks: take lif without a synapse or a refractory period"
            )
        if not isinstance(neuron.decay, float):
            raise Refused("ottt takes one constant decay for a layer; take shared=true")
        decays.append(neuron.decay)
    before = [decays[0] if input_trace else None, *decays[1:], decays[-1] if readout_trace else None]
    return _online.Rule("ottt", tuple(before), each=update == "online")
