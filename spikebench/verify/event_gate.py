"""Finite differences of the loss, by spike times that bisection finds: what the exact gradient of a scheme of spike times must be.

    ∂L/∂w ≈ (4 D(ε/2) − D(ε))/3      D(ε) = (L(w + ε) − L(w − ε))/(2ε)

The events are held: where a spike appears or vanishes within ε, L has a jump, and the weight is left out. So is it where the two
differences do not agree, because a crossing grazes the threshold there. How many were left out is said.
"""

import random
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from spikebench import scheme as schemes
from spikebench.cases.subject import Subject
from spikebench.network import Classifier

STEP = 1e-5  # ε, where the weights of a layer are of the order of 0.1
AGREE = 1e-3  # how far the two differences may lie apart, relative to the largest gradient
WEIGHTS = 3  # of each matrix, the one with the largest gradient among them
GRAZING = 0.1  # of θ/τ: the rise a step below which a crossing is said to graze
WITHIN = 1e-6  # how far a gradient may be off, relative to the largest of its matrix


@dataclass(frozen=True)
class Differences:
    """How many weights were compared and left out, and the largest error of a gradient relative to the largest of its matrix.

    `grazing` is the share of all spikes that graze the threshold.
    """

    compared: int
    left_out: int
    error: float
    grazing: float

    def __str__(self) -> str:
        return (
            f"{self.compared} finite differences within {self.error:.1g}, {self.left_out} left out; "
            f"{self.grazing:.2%} of the crossings graze"
        )

    @property
    def wrong(self) -> str | None:
        """Why the gradient is not exact, or None."""
        if not self.compared:
            return "no finite difference could be taken, so that nothing was compared"
        if self.error <= WITHIN:
            return None
        return f"a gradient is off by {self.error:.2g} of the largest from finite differences (limit {WITHIN:g})"


def differences(
    subject: Subject, stack: Classifier, x: Tensor, labels: Tensor, found: schemes.Gradients, seed: int | None = None
) -> Differences:
    """Compare some gradients of a scheme with finite differences; the stack is in float64, and is left as it was."""
    drawn, errors, left_out = random.Random(seed), list[float](), 0
    for layer in (*stack.linears, stack.readout):
        weight = cast(nn.Parameter, layer.weight)
        largest = float(found[weight].abs().max())
        others = drawn.sample(range(weight.numel()), min(WEIGHTS - 1, weight.numel()))
        for place in {int(found[weight].abs().argmax()), *others}:
            want = _difference(subject, stack, x, labels, weight.detach().view(-1), place, largest)
            if want is None:
                left_out += 1
            elif scale := max(largest, abs(want)):  # where both are 0 nothing was compared
                errors.append(abs(float(found[weight].flatten()[place]) - want) / scale)
    rises = schemes.followed(subject, stack, x, labels).rises
    grazing = float((rises < GRAZING).double().mean()) if len(rises) else 0.0
    return Differences(len(errors), left_out, max(errors, default=0.0), grazing)


def _difference(
    subject: Subject, stack: Classifier, x: Tensor, labels: Tensor, flat: Tensor, place: int, largest: float
) -> float | None:
    """The derivative of the loss by one weight, or None where it has a jump or the differences do not agree."""
    own, losses, counts = float(flat[place]), list[float](), list[Tensor]()
    try:
        for shift in (STEP, -STEP, STEP / 2, -STEP / 2):
            flat[place] = own + shift
            found = schemes.followed(subject, stack, x, labels)
            losses.append(found.loss)
            counts.append(found.counts)
    finally:
        flat[place] = own
    whole, half = (losses[0] - losses[1]) / (2 * STEP), (losses[2] - losses[3]) / STEP
    held = all(torch.equal(counts[0], c) for c in counts)
    return (4 * half - whole) / 3 if held and abs(half - whole) <= AGREE * max(largest, abs(half)) else None
