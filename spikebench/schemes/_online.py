"""What online schemes share: the loop over time that learns from every step, and the same as sums over all steps.

At a step t the state is detached, so that the error δ_t = ∂L_t/∂x_t needs this step alone:

    δ^L_t = ∂L_t/∂o_t      δ^l_t = (W^{l+1}ᵀ δ^{l+1}_t) ⊙ σ'(u^l_t − θ)      ∂W^l = Σ_t δ^l_t (a^{l-1}_t)ᵀ      ∂b^l = Σ_t δ^l_t

a is what came before the synapses: the spikes of this step, or their trace.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikebench.backend import Refused
from spikebench.loading.subject import definition_of
from spikebench.network import Classifier
from spikebench.neuron import State, SteppedNeuron
from spikebench.scheme import Apply, Gradients, learned, loss_of, plain, shares


@dataclass(frozen=True)
class Rule:
    """How a scheme learns from a step. `decays` are those of the traces before each layer and the readout; None takes the spikes.

    `steps` are the time steps that are learned from, all if None. With `each`, weights change after every time step.
    """

    name: str
    decays: tuple[float | None, ...]
    steps: Collection[int] | None = None
    each: bool = False


def layers(stack: nn.Module, name: str) -> list[tuple[nn.Linear, SteppedNeuron]]:
    """The linear layers and the definitions of their neurons. Raises Refused for a stack without steps, or neurons that learn."""
    stack, found = plain(stack, name), list[tuple[nn.Linear, SteppedNeuron]]()
    for linear, bound in zip(stack.linears, stack.neurons, strict=True):
        neuron = definition_of(bound)
        if not isinstance(neuron, SteppedNeuron):
            raise Refused(f"{name} takes a neuron of ours with one step, such as lif")
        if any(p.requires_grad for p in neuron.parameters()):
            raise Refused(f"{name} is defined for weights and biases, and a parameter of this neuron learns")
        found.append((cast(nn.Linear, linear), neuron))
    return found


class Loop:
    """The stack in one pass over time: the state of every layer, and the traces."""

    def __init__(self, stack: Classifier, rule: Rule) -> None:
        self.layers, self.readout, self.rule = layers(stack, rule.name), stack.readout, rule
        self._states: list[State | None] = [None] * len(self.layers)
        self._traces: list[Tensor | None] = [None] * len(rule.decays)

    def step(self, x: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The currents [B, N] of every layer and the outputs, with a graph of this step, and what came before each of them."""
        currents, before, s = list[Tensor](), list[Tensor](), x
        for number, (linear, neuron) in enumerate(self.layers):
            before.append(self._before(number, s))
            current = _through(linear, s)
            if number == 0 and torch.is_grad_enabled():
                current.requires_grad_()
            state = self._states[number] or neuron.initial(current.detach())
            s, _, state = neuron.step(current, state)
            self._states[number] = tuple(v.detach() for v in state)
            currents.append(current)
        before.append(self._before(len(self.layers), s))
        currents.append(_through(self.readout, s))
        return currents, before

    def _before(self, number: int, s: Tensor) -> Tensor:
        """What the weights of a layer are said to have got: s, or its trace a_t = λ·a_{t-1} + s_t."""
        decay, s = self.rule.decays[number], s.detach()
        if decay is None:
            return s
        old = self._traces[number]
        self._traces[number] = made = s if old is None else torch.add(s, old, alpha=decay)
        return made


def _through(linear: nn.Linear, s: Tensor) -> Tensor:
    """The layer without a gradient for its weights."""
    return functional.linear(s, linear.weight.detach(), None if linear.bias is None else linear.bias.detach())


def gradients(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None, apply: Apply | None, rule: Rule
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch, one step after the other: nothing of a step is kept but the sums."""
    loop, share = Loop(stack, rule), shares(x, mask)
    total = {p: torch.zeros_like(p) for p in learned(stack)}
    own = {p: torch.zeros_like(p) for p in total} if rule.each and apply is not None else total
    sums = dict[Tensor, Tensor](own.items())
    modules = [linear for linear, _ in loop.layers] + [loop.readout]
    loss = x.new_zeros(())
    for t in range(len(x)):  # not over x.unbind(0), whose T views would stay
        learns = rule.steps is None or t in rule.steps
        with torch.set_grad_enabled(learns):
            currents, before = loop.step(x[t])
            if not learns:
                continue
            here = loss_of(currents[-1], labels, share[t])
        loss += here.detach()
        for layer, delta, a in zip(modules, torch.autograd.grad(here, currents), before, strict=True):
            sums[layer.weight].addmm_(delta.t(), a)
            if layer.bias is not None:
                sums[layer.bias] += delta.sum(0)
        if own is not total:
            cast(Apply, apply)(own)
            for p, g in own.items():
                total[p] += g
                g.zero_()
    if apply is not None and own is total:
        apply(total)
    return loss, total


def definition(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None, rule: Rule
) -> tuple[Tensor, Gradients]:
    """The same with all steps there at once: one loss, and a trace that is a product with the matrix λ^{t−k}, k ≤ t."""
    loop, share = Loop(stack, Rule(rule.name, (None,) * len(rule.decays))), shares(x, mask)
    found = [loop.step(x_t) for x_t in x.unbind(0)]
    o = torch.stack([currents[-1] for currents, _ in found])
    learns = [t for t in range(len(x)) if rule.steps is None or t in rule.steps]
    loss = loss_of(o[learns], labels, share[learns])
    made = dict[Tensor, Tensor]()
    modules = [linear for linear, _ in loop.layers] + [loop.readout]
    deltas = torch.autograd.grad(loss, [c for currents, _ in found for c in currents], allow_unused=True)
    for number, (layer, decay) in enumerate(zip(modules, rule.decays, strict=True)):
        every = [
            torch.zeros_like(found[t][0][number]) if d is None else d
            for t, d in enumerate(deltas[number :: len(modules)])
        ]
        delta, s = torch.stack(every), torch.stack([before[number] for _, before in found])  # [T, B, N], [T, B, M]
        a = s if decay is None else torch.einsum("tk,kbm->tbm", powers(decay, len(x), x), s)
        made[layer.weight] = torch.einsum("tbn,tbm->nm", delta, a)
        if layer.bias is not None:
            made[layer.bias] = delta.sum((0, 1))
    return loss.detach(), {p: made[p] for p in learned(stack)}


def powers(decay: float, steps: int, like: Tensor) -> Tensor:
    """The matrix [T, T] with λ^{t−k} where k ≤ t, else 0."""
    away = torch.arange(steps, dtype=torch.float64)
    away = away[:, None] - away
    return torch.where(away >= 0, decay ** away.clamp_min(0), 0.0).to(like)
