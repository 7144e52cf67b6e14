"""Input-aware parallel spiking unit: a parallel spiking unit whose filter over time is learned."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import Operations, Words
from spikebench.neurons.psu import PSU
from spikebench.numerics.scan import recurrence
from spikebench.numerics.surrogate import Surrogate
from spikebench.units import Positive, Share


class IPSU(PSU):
    """Input-aware parallel spiking unit (Li et al. 2024); W [T, T] and b [T, 1] are learned, shared by all neurons:

        braincog:  v = tril(W) x + b − B x          B_{ti} = decay^{t−i} for i < t
        fpt:       v = tril(W) x − B L x            L_{ti} = decay^{t−i} for i ≤ t,  no b
        s = [v ≥ threshold]

    variant: the two public definitions differ. "braincog", the default, is that of the unit's authors, whose decay is
    1/tau; "fpt" is the re-implementation that the authors of FPT measured against.
    W starts Kaiming normal (fan-out, ReLU) and b zero (braincog), or as in nn.Linear (fpt). learn_slope as in psu.
    Source: arXiv 2402.00449 and Brain-Cog-Lab/PSU at 89fd724, arXiv 2506.12087 (FPT code). The authors' code has no
    sigmoid between x and B; a line that is commented out there, with one, is what ppsu computes.

    Options:
        variant: which of the two public definitions
    """

    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": "(T + 1) / 2 + 2", "add": "(T + 1) / 2 + 3", "compare": 1}
    state_words: ClassVar[Words] = "T + 1"
    state_writes: ClassVar[Words | None] = 2
    fixed_length: ClassVar[bool] = True

    def __init__(
        self,
        T: int,
        *,
        decay: Share = 0.5,
        threshold: Positive = 1.0,
        variant: Literal["braincog", "fpt"] = "braincog",
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
        learn_slope: bool = False,
    ) -> None:
        super().__init__(decay=decay, threshold=threshold, surrogate=surrogate, slope=slope, learn_slope=learn_slope)
        self.variant = variant
        self.weight = nn.Parameter(torch.empty(T, T))
        if variant == "braincog":
            nn.init.kaiming_normal_(self.weight, mode="fan_out", nonlinearity="relu")
            self.bias = nn.Parameter(torch.zeros(T, 1))
        else:
            nn.init.kaiming_uniform_(self.weight, a=5**0.5)

    def mixing(self) -> Tensor:
        """tril(W) − B, or tril(W) − B L with (B L)_{ti} = (t − i)·decay^{t−i}: the matrix [T, T] from input to membrane.

        `membrane` keeps the products apart; backends multiply once.
        """
        steps = len(self.weight)
        lag = torch.arange(steps, dtype=torch.float64, device=self.weight.device)
        power = self.decay**lag * (lag if self.variant == "fpt" else lag > 0)
        band = torch.cat([power.flip(0), power.new_zeros(max(steps - 1, 0))]).to(self.weight.dtype)
        return self.weight.tril() - band.unfold(0, steps, 1).flip(0)

    def membrane(self, x: Tensor) -> Tensor:
        flat = x.reshape(x.shape[0], -1)  # [T, B·N]
        weighted = torch.matmul(self.weight.tril(), flat)
        if self.variant == "fpt":
            return (weighted - self.past(recurrence(flat, self.decay))).view_as(x)
        return (weighted + self.bias - self.past(flat)).view_as(x)
