"""Parallel spiking unit with one learned filter, for the membrane and for the probabilities of its reset."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from spikebench.neuron import Operations, Words
from spikebench.neurons.psu import PSU
from spikebench.numerics.surrogate import Surrogate
from spikebench.units import Positive, Share


class PPSU(PSU):
    """PPSU of the parallel spiking units' code (Li et al. 2024); W [T, T] and b [T, 1] are learned, shared by all neurons:

        q = tril(W) x + b
        v = q − B σ(q)        B_{ti} = decay^{t−i} for i < t
        s = [v ≥ threshold]

    Differs from rpsu in the membrane, which is q too; the authors' decay is 1/tau, and as in their code the reset is not
    multiplied by the threshold. W starts Kaiming normal (fan-out, ReLU), b zero. learn_slope as in psu.
    Source: Brain-Cog-Lab/PSU at 89fd724 (braincog/base/node/node.py: class PPSU); the paper, arXiv 2402.00449, is that of
    psu, ipsu and rpsu. There the comparison is >, and the slope learns.
    """

    operations: ClassVar[Operations] = {"mul": "(T + 1) / 2 + 2", "add": "(T + 1) / 2 + 3", "compare": 1, "special": 1}
    state_words: ClassVar[Words] = "T + 1"
    state_writes: ClassVar[Words | None] = 2
    approximates: ClassVar[str | None] = None
    fixed_length: ClassVar[bool] = True

    def __init__(
        self,
        T: int,
        *,
        decay: Share = 0.5,
        threshold: Positive = 1.0,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
        learn_slope: bool = False,
    ) -> None:
        super().__init__(decay=decay, threshold=threshold, surrogate=surrogate, slope=slope, learn_slope=learn_slope)
        self.weight = nn.Parameter(torch.empty(T, T))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.bias = nn.Parameter(torch.zeros(T, 1))

    def membrane(self, x: Tensor) -> Tensor:
        q = (torch.matmul(self.weight.tril(), x.reshape(x.shape[0], -1)) + self.bias).view_as(x)
        return q - self.past(torch.sigmoid(q))
