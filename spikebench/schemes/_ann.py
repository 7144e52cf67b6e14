"""What schemes share that go back once for all steps: sums over time, spike counts without gradients, and that one way back."""

from typing import cast

import torch
from torch import Tensor, nn

from spikebench.backend import Refused
from spikebench.loading.subject import definition_of
from spikebench.network import Classifier
from spikebench.neurons.lif import LIF
from spikebench.scheme import Apply, Gradients, learned, loss_of, plain
from spikebench.schemes import _online


def lengths(x: Tensor, mask: Tensor | None) -> Tensor:
    """How many steps of each sample are data: [B, 1]."""
    steps = x.new_full((x.shape[1],), len(x)) if mask is None else mask.sum(0).to(x.dtype)
    return steps[:, None]


def summed(x: Tensor, mask: Tensor | None) -> Tensor:
    """The sum of the input over the steps that are data: [B, C]."""
    return x.sum(0) if mask is None else (x * mask[..., None]).sum(0)


def mean(x: Tensor, mask: Tensor | None) -> Tensor:
    """The mean of the input over the steps that are data: [B, C]."""
    return summed(x, mask) / lengths(x, mask)


def loss_once(o: Tensor, labels: Tensor) -> Tensor:
    """The loss of one output [B, classes] for all steps, the mean over the batch."""
    return loss_of(o, labels, o.new_full((len(labels),), 1 / len(labels)))


def loss_and_error(o: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of one output o [B, classes] for all steps, and its derivative δ [B, classes] by that output."""
    held = o.detach().requires_grad_()
    loss = loss_once(held, labels)
    (delta,) = torch.autograd.grad(loss, held)
    return loss.detach(), delta


def by_autograd(
    stack: Classifier, o: Tensor, labels: Tensor, apply: Apply | None, more: Tensor | None = None
) -> tuple[Tensor, Gradients]:
    """The loss of one output o [B, classes] for all steps, and its gradients by autograd, which `apply` gets.

    `more` is added to the loss.
    """
    loss, parameters = loss_once(o, labels), learned(stack)
    loss = loss if more is None else loss + more
    made = dict(zip(parameters, torch.autograd.grad(loss, parameters), strict=True))
    if apply is not None:
        apply(made)
    return loss.detach(), made


@torch.no_grad()
def counts(stack: Classifier, x: Tensor, mask: Tensor | None, name: str, fires: bool = False) -> list[Tensor]:
    """How often each neuron of every layer fires in the steps that are data, [B, N]; of the readout, too, if it `fires`.

    The readout's neurons are like those of the last layer. Nothing of a step is kept but states and counts.
    """
    layers = _online.layers(stack, name)
    if fires:
        layers.append((stack.readout, layers[-1][1]))
        if any(v.numel() > 1 for v in layers[-1][1].buffers()):
            raise Refused(f"{name} gives the readout neurons like those of the last layer; take one threshold for all")
    states, found = list[tuple[Tensor, ...]](), list[Tensor]()
    for t in range(len(x)):
        s = x[t]
        for number, (linear, neuron) in enumerate(layers):
            current = linear(s)
            if t == 0:
                states.append(neuron.initial(current))
                found.append(torch.zeros_like(current))
            s, _, states[number] = neuron.step(current, states[number])
            found[number] += s if mask is None else s * mask[t, :, None]
    return found


def lifs(stack: nn.Module, name: str) -> list[tuple[nn.Linear, LIF]]:
    """The linear layers and their LIF, whose thresholds may learn. Raises Refused for other neurons, and where more of them learns."""
    stack, found = plain(stack, name), list[tuple[nn.Linear, LIF]]()
    for linear, bound in zip(stack.linears, stack.neurons, strict=True):
        neuron = definition_of(bound)
        if not isinstance(neuron, LIF) or neuron.bounded:
            raise Refused(f"{name} takes lif, with its threshold as it is: leave bounded=true out")
        if any(p is not neuron.threshold for p in neuron.parameters()):
            raise Refused(
                f"{name} is defined for weights, biases and thresholds, and something else of this neuron learns"
            )
        found.append((cast(nn.Linear, linear), neuron))
    return found


def linears(stack: Classifier) -> list[nn.Linear]:
    """The layers without the readout."""
    return [cast(nn.Linear, layer) for layer in stack.linears]


def products(
    stack: Classifier,
    delta: Tensor,
    before: list[Tensor],
    gates: list[Tensor],
    scales: tuple[Tensor | float, Tensor | float],
) -> Gradients:
    """Backpropagation from the error δ [B, classes] of the readout, written down layer by layer.

    `before` are what the layers and the readout took, `gates` the derivatives of the layers' ReLU. The weights of a bias are
    `scales`: that of layers, and that of the readout's weights.
    """
    of_bias, of_readout = scales
    made = dict[Tensor, Tensor]()
    delta_out = delta * of_readout
    made[stack.readout.weight], made[stack.readout.bias] = delta_out.t() @ before[-1], delta.sum(0)
    back = delta_out @ stack.readout.weight.detach()
    for linear, a, gate in zip(reversed(linears(stack)), before[-2::-1], reversed(gates), strict=True):
        here = back * gate
        made[linear.weight], made[linear.bias] = here.t() @ a, (here * of_bias).sum(0)
        back = here @ linear.weight.detach()
    return {p: made[p] for p in learned(stack)}
