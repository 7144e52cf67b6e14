"""Sparse spiking gradient descent: BPTT whose surrogate is 0 away from the threshold, so that few membranes need to be kept.

    A^l = {(t, b, j): |u^l_tbj − θ| < B}        (the active ones; u and the reset are LIF's, the reset without a gradient)
    d^l_t = σ'(u^l_t − θ)·g^l_t on A^l, else 0        g^L_t = W_outᵀ ∂L/∂o_t        g^{l-1}_t = W^lᵀ e^l_t
    e^l_t = d^l_t + λ·e^l_{t+1}        ∂W^l = Σ_t e^l_t (s^{l-1}_t)ᵀ        ∂b^l = Σ_t e^l_t

σ' is the neuron's surrogate and λ its decay. What is kept of a step is its spikes, as bits, and the membranes of A. Forward and backward
go through the steps in pieces of 32, so that nothing else grows with T. With B beyond every membrane it equals BPTT of a neuron with
detach_reset=true.
Source: Perez-Nieves and Goodman 2021, arXiv 2105.08810; read in its authors' code, npvoid/SparseSpikingBackprop. Their neuron is
lif[decay=0.905,detach_reset=true,strict=true,surrogate=fast_sigmoid,slope=100.0], and B is 0.2.
Here: e of all neurons is multiplied with the weights, and the products of A are taken: at some per cent of active ones a CPU multiplies
faster than it gathers. The authors' kernels gather on a GPU, and keep a trace of the input for every step instead of spikes.

Options:
    reach: B, how far from the threshold a membrane may lie to be active
"""

from dataclasses import dataclass, field
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from spikebench.backend import Refused
from spikebench.network import Classifier
from spikebench.neuron import State
from spikebench.neurons.lif import LIF
from spikebench.numerics import bits
from spikebench.numerics.surrogate import derivative
from spikebench.scheme import Apply, Gradients, learned, loss_of, shares
from spikebench.schemes import _online
from spikebench.units import Positive

SOURCE = (
    "@inproceedings{pereznieves2021sparse, author={Perez-Nieves, Nicolas and Goodman, Dan F. M.}, title={Sparse Spiking Gradient"
    " Descent}, booktitle={NeurIPS}, year={2021}}"
)
MEMORY = "T"
EXACT = False
ANN_BRANCH = False
ONLINE = False
VERIFIED = True
NEURONS = ("lif",)
BACKENDS = ("eager",)
PIECE = bits.BITS  # steps


def gradients(
    stack: Classifier,
    x: Tensor,
    labels: Tensor,
    mask: Tensor | None = None,
    apply: Apply | None = None,
    *,
    reach: Positive = 0.2,
) -> tuple[Tensor, Gradients]:
    """Loss and gradients of a batch: all pieces forward without a graph, then all backward."""
    rows, share, loss = layers(stack), shares(x, mask), x.new_zeros(())
    total = {p: torch.zeros_like(p) for p in learned(stack)}
    kept = [_kept(rows, piece, reach) for piece in x.split(PIECE)]
    later = list[Tensor | None]([None] * len(rows))
    for number in reversed(range(len(kept))):
        here = slice(number * PIECE, number * PIECE + PIECE)
        found, s = kept.pop(), x[here]
        before = [lambda s=s: s, *(partial(bits.unpack, layer.words, len(s), s.dtype) for layer in found)]
        part, back = _outputs(stack, before[-1](), labels, share[here], total)
        loss += part
        weight = stack.readout.weight.detach()
        for place in reversed(range(len(rows))):
            back = _errors(back, weight, found[place], rows[place], later[place])
            later[place], weight = back[0].clone(), rows[place].linear.weight.detach()
            _add(total, rows[place].linear, back, before[place]())
    if apply is not None:
        apply(total)
    return loss, total


def definition(
    stack: Classifier, x: Tensor, labels: Tensor, mask: Tensor | None = None, *, reach: Positive = 0.2
) -> tuple[Tensor, Gradients]:
    """Loss and gradients with all steps there at once: e and the traces of the inputs are products with the matrix λ^{t−k}, k ≤ t."""
    rows, before, membranes = layers(stack), [x], list[Tensor]()
    for row in rows:
        spikes, distances = zip(*(_through(row, s) for s in before[-1].split(PIECE)), strict=True)
        before.append(torch.cat(spikes))
        membranes.append(torch.cat(distances))
    o = functional.linear(before[-1], stack.readout.weight.detach(), stack.readout.bias.detach()).requires_grad_()
    loss = loss_of(o, labels, shares(x, mask))
    (error,) = torch.autograd.grad(loss, o)
    made = dict[Tensor, Tensor]()
    made[stack.readout.weight] = torch.einsum("tbn,tbm->nm", error, before[-1])
    made[stack.readout.bias] = error.sum((0, 1))
    back = error @ stack.readout.weight.detach()
    for row, z, s in zip(reversed(rows), reversed(membranes), before[-2::-1], strict=True):
        past = _online.powers(row.decay, len(x), x)  # [T, T]
        d = torch.where(z.abs() < reach, row.slope(z) * back, 0.0)
        made[row.linear.weight] = torch.einsum("tbn,tbm->nm", d, torch.einsum("tk,kbm->tbm", past, s))
        made[row.linear.bias] = torch.einsum("tbn,t->n", d, past.sum(1))
        back = torch.einsum("kt,kbn->tbn", past, d) @ row.linear.weight.detach()
    return loss.detach(), {p: made[p] for p in learned(stack)}


@dataclass
class Row:
    """A layer: its weights, its neuron, and the neuron's state at the step that forward has come to."""

    linear: nn.Linear
    neuron: LIF
    state: State | None = field(default=None)

    @property
    def decay(self) -> float:
        """λ."""
        return cast(float, self.neuron.decay)

    def slope(self, z: Tensor) -> Tensor:
        """σ'(z)."""
        return derivative(z, self.neuron.surrogate, self.neuron.slope)


@dataclass(frozen=True)
class Kept:
    """What a layer keeps of some steps: the words of its spikes, the places of A [A] in [T·B·N], and u − θ there."""

    words: Tensor
    active: Tensor
    z: Tensor


def layers(stack: nn.Module) -> list[Row]:
    """The layers with their neurons. Raises Refused for a neuron whose past is not λ^{t−k}."""
    rows: list[Row] = []
    for linear, neuron in _online.layers(stack, "sparse"):
        if (
            not isinstance(neuron, LIF)
            or neuron.synapse_decay is not None
            or neuron.refractory
            or neuron.reset == "hard"
        ):
            raise Refused(
                "sparse is derived for a membrane that leaks: take lif with reset=soft, no synapse, no refractory period"
            )
        if not isinstance(neuron.decay, float) or neuron.input_scale != "one" or neuron.reset_delay:
            raise Refused(
                "sparse takes one constant decay for a layer, and the input as it is: take shared=true,input_scale=one"
            )
        rows.append(Row(linear, neuron))
    return rows


@torch.no_grad()
def _through(row: Row, s: Tensor) -> tuple[Tensor, Tensor]:
    """The spikes of a layer and its membranes u − θ, [t, B, N], in some steps after those before."""
    z = row.linear(s)  # the currents, and step by step the membranes in their places
    fired = torch.empty_like(z)
    for t in range(len(z)):
        state = row.neuron.initial(z[t]) if row.state is None else row.state
        fired[t], z[t], row.state = row.neuron.step(z[t], state)
    return fired, z.sub_(row.neuron.thresholds)


def _kept(rows: list[Row], s: Tensor, reach: float) -> list[Kept]:
    """What of some steps is kept of every layer."""
    found: list[Kept] = []
    for row in rows:
        s, z = _through(row, s)
        active = (z.abs() < reach).flatten().nonzero()[:, 0].to(torch.int32)
        near = z.view(-1)[active]
        del z  # before the words are made
        found.append(Kept(bits.pack(s), active, near))
    return found


def _outputs(stack: Classifier, s: Tensor, labels: Tensor, share: Tensor, total: Gradients) -> tuple[Tensor, Tensor]:
    """The loss of some steps, and the errors ∂L/∂o of the outputs; what the readout learns is added to the total."""
    o = functional.linear(s, stack.readout.weight.detach(), stack.readout.bias.detach()).requires_grad_()
    loss = loss_of(o, labels, share)
    (error,) = torch.autograd.grad(loss, o)
    _add(total, stack.readout, error, s)
    return loss.detach(), error


def _errors(back: Tensor, weight: Tensor, kept: Kept, row: Row, later: Tensor | None) -> Tensor:
    """e [t, B, N] of a layer, from the errors of what follows its weights and the e of the first later step."""
    e = torch.zeros(*back.shape[:2], weight.shape[1], dtype=back.dtype, device=back.device)
    active = kept.active.long()
    e.view(-1)[active] = (back @ weight).view(-1)[active] * row.slope(kept.z)
    for t in reversed(range(len(e))):
        if later is not None:
            e[t].add_(later, alpha=row.decay)
        later = e[t]
    return e


def _add(total: Gradients, linear: nn.Linear, error: Tensor, s: Tensor) -> None:
    """Add a layer's Σ_t e_t s_tᵀ and Σ_t e_t to the total."""
    total[cast(nn.Parameter, linear.weight)].addmm_(error.flatten(0, 1).t(), s.flatten(0, 1))
    total[cast(nn.Parameter, linear.bias)] += error.sum((0, 1))
