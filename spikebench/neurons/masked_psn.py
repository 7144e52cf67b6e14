"""Masked parallel spiking neuron: a parallel spiking neuron that sees only the last steps."""

from typing import ClassVar

import torch
from torch import Tensor

from spikebench.neuron import Operations, Words
from spikebench.neurons.psn import PSN
from spikebench.numerics.surrogate import Surrogate
from spikebench.units import Count, Positive, Share


class MaskedPSN(PSN):
    """Masked parallel spiking neuron (Fang et al. 2023; read in its authors' code):

        h = (W ∘ M) x + b,   M_{ti} = masking + (1 − masking) where t − k < i ≤ t, else 1 − masking
        s = [h ≥ 0]

    Each step sees the last k inputs. masking=1 is the mask in full and causal; the authors start training at 0, where
    nothing is masked, and raise it to 1 (set the attribute). k has no published default; 8 is ours.
    Parameters and start as in psn. Source: arXiv 2304.12760, code in SpikingJelly.

    Options:
        k: how many of the last steps each step sees
        masking: how much of the rest is masked: 0 is nothing, 1 is all
    """

    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {
        "mul": "k - k * (k - 1) / (2 * T)",
        "add": "k - k * (k - 1) / (2 * T) + 1",
        "compare": 1,
    }
    state_words: ClassVar[Words] = "k"
    state_writes: ClassVar[Words | None] = 1
    causal: ClassVar[bool] = True

    def __init__(
        self, T: int, *, k: Count = 8, masking: Share = 1.0, surrogate: Surrogate = "atan", slope: Positive = 2.0
    ) -> None:
        super().__init__(T, surrogate=surrogate, slope=slope)
        self.k, self.masking = k, masking

    def mixing(self) -> Tensor:
        seen = torch.ones_like(self.weight).tril().triu(1 - self.k)
        return self.weight * (self.masking * seen + (1 - self.masking))
