"""Reset-aware parallel spiking unit: a parallel spiking unit whose firing probabilities come from a learned filter."""

from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import Operations, Words
from spikebench.neurons.psu import PSU
from spikebench.numerics.surrogate import Surrogate
from spikebench.units import Positive, Share


class RPSU(PSU):
    """Reset-aware parallel spiking unit (Li et al. 2024); W [T, T] and b [T, 1] are learned, shared by all neurons:

        q = tril(W) x + b
        v = A x − B σ(q)        A, B as in psu
        s = [v ≥ threshold]

    Differs from psu in the source of the probabilities: q instead of A x. As in the authors' code the reset is not
    multiplied by the threshold, which psu's is. W starts Kaiming normal (fan-out, ReLU), b zero.
    Source: arXiv 2402.00449 and Brain-Cog-Lab/PSU at 89fd724. matrices: "lif", the default, or the authors', as in psu; those at
    tau = 2 are the same. learn_slope as in psu.

    Options:
        decay: what the membrane keeps per step, with matrices=lif
        matrices: which A and B: those of the LIF, or the authors'
        tau: the time constant that the authors' matrices are made of
    """

    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": "(T + 1) / 2 + 4", "add": "(T + 1) / 2 + 4", "compare": 1, "special": 1}
    state_words: ClassVar[Words] = "T + 2"
    state_writes: ClassVar[Words | None] = 3
    fixed_length: ClassVar[bool] = True

    def __init__(
        self,
        T: int,
        *,
        decay: Share = 0.5,
        threshold: Positive = 1.0,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
        matrices: Literal["lif", "authors"] = "lif",
        tau: Annotated[float, "[1, inf)"] = 2.0,
        learn_slope: bool = False,
    ) -> None:
        super().__init__(
            decay=decay,
            threshold=threshold,
            surrogate=surrogate,
            slope=slope,
            matrices=matrices,
            tau=tau,
            learn_slope=learn_slope,
        )
        self.weight = nn.Parameter(torch.empty(T, T))
        nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
        self.bias = nn.Parameter(torch.zeros(T, 1))

    def membrane(self, x: Tensor) -> Tensor:
        q = torch.matmul(self.weight.tril(), x.reshape(x.shape[0], -1)) + self.bias
        return self.leaky(x) - self.past(torch.sigmoid(q.view_as(x)))
