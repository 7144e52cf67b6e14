"""Sliding parallel spiking neuron: every step is the same learned weighted sum of the last steps."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Count, Positive


class SlidingPSN(Neuron):
    """Sliding parallel spiking neuron (Fang et al. 2023; read in its authors' code), w [k] and b shared by all neurons:

        h_t = Σ_{i<k} w_i·x_{t−k+1+i} + b,   x before the first step is 0
        s_t = [h_t ≥ 0]

    w starts (…, ¼, ½, 1) if exp_init, else Kaiming uniform (a = √5); b at −1. k has no published default; 8 is ours.
    Source: arXiv 2304.12760, code in SpikingJelly.

    Options:
        k: how many of the last steps each step sees
        exp_init: the weights start at powers of ½, and not at random
    """

    reference: ClassVar[str] = (
        "@inproceedings{fang2023parallel, author={Fang, Wei and Yu, Zhaofei and Zhou, Zhaokun and Chen, Ding and Chen,"
        " Yanqi and Ma, Zhengyu and Masquelier, Timoth{\\'e}e and Tian, Yonghong}, title={Parallel Spiking Neurons with"
        " High Efficiency and Ability to Learn Long-term Dependencies}, booktitle={NeurIPS}, year={2023},"
        " note={arXiv:2304.12760}}"
    )
    operations: ClassVar[Operations] = {"mul": "k", "add": "k + 1", "compare": 1}
    state_words: ClassVar[Words] = "k"
    state_writes: ClassVar[Words | None] = 1
    parallel_in_time: ClassVar[bool] = True

    def __init__(
        self, *, k: Count = 8, exp_init: bool = True, surrogate: Surrogate = "atan", slope: Positive = 2.0
    ) -> None:
        super().__init__()
        self.threshold = 0.0
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.weight = nn.Parameter(0.5 ** torch.arange(k - 1.0, -1.0, -1.0))
        if not exp_init:
            nn.init.kaiming_uniform_(self.weight[None], a=5**0.5)
        self.bias = nn.Parameter(torch.tensor(-1.0))

    def membrane(self, x: Tensor) -> Tensor:
        k = len(self.weight)
        padded = torch.cat([x.new_zeros(k - 1, *x.shape[1:]), x])
        return torch.matmul(padded.unfold(0, k, 1), self.weight) + self.bias  # windows [T, B, N, k]

    def forward(self, x: Tensor) -> Tensor:
        return spike(self.membrane(x), self.surrogate, self.slope)
