"""Backpropagation through time, on any backend: the exact gradient, at the cost of what all steps leave behind.

    δ_t = ∂L/∂x_t, through all later steps       ∂W = Σ_t δ_t (s^{l-1}_t)ᵀ       ∂b = Σ_t δ_t

The neurons' own backend computes forward and backward: a loop of PyTorch, or a fused kernel. It is what every other
scheme is measured against. Memory grows with T, because the spikes and membranes of all steps are kept.
Source: Werbos, Backpropagation through time: what it does and how to do it, 1990; Neftci et al. 2019 for spiking neurons.
"""

from typing import cast

import torch
from torch import Tensor, nn

from spikebench.loading.subject import definition_of
from spikebench.network import Classifier
from spikebench.scheme import Apply, Gradients, learned, loss_of, shares

SOURCE = (
    "@article{werbos1990backpropagation, author={Werbos, Paul J.}, title={Backpropagation through time: what it does and"
    " how to do it}, journal={Proceedings of the IEEE}, volume={78}, number={10}, pages={1550--1560}, year={1990}}"
)
MEMORY = "T"
EXACT = True
ANN_BRANCH = False
ONLINE = False
VERIFIED = True


def gradients(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None, apply: Apply | None = None
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch, by autograd through the whole sequence."""
    parameters = learned(stack)
    o = stack.readout(stack.spikes(x, mask))  # [T, B, classes]
    loss = loss_of(o, labels, shares(x, mask))
    found = torch.autograd.grad(loss, parameters, allow_unused=True)
    made = {p: torch.zeros_like(p) if g is None else g for p, g in zip(parameters, found, strict=True)}
    if apply is not None:
        apply(made)
    return loss.detach(), made


def definition(stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Gradients]:
    """The same with the neurons' definitions, and a sum of outer products for every weight. It knows no norms."""
    before, currents, s = [], [], x
    for linear, neuron in zip(stack.linears, stack.neurons, strict=True):
        before.append(s.detach())
        currents.append(linear(s))
        out = (definition_of(neuron) or neuron)(currents[-1])
        s = out[0] if isinstance(out, tuple) else out
    before.append(s.detach())
    currents.append(stack.readout(s))
    loss = loss_of(currents[-1], labels, shares(x, mask))
    own = [p for neuron in stack.neurons for p in neuron.parameters() if p.requires_grad]
    deltas = torch.autograd.grad(loss, [*currents, *own])
    made = dict[Tensor, Tensor](zip(own, deltas[len(currents) :], strict=True))
    layers = [cast(nn.Linear, layer) for layer in (*stack.linears, stack.readout)]
    for layer, delta, s in zip(layers, deltas, before, strict=False):
        made[layer.weight] = torch.einsum("tbn,tbm->nm", delta, s)
        made[layer.bias] = delta.sum((0, 1))
    return loss.detach(), {p: made[p] for p in learned(stack)}
