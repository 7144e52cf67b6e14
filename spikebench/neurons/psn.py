"""Parallel spiking neuron: every step is a learned weighted sum of all steps, past and future."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive


class PSN(Neuron):
    """Parallel spiking neuron (Fang et al. 2023; read in its authors' code), W [T, T] and b [T, 1] shared by all neurons:

        h = W x + b
        s = [h ≥ 0]

    No reset, and not causal: W is full. The negative of b is a learned threshold per step. W starts Kaiming uniform
    (a = √5), b at −1. Source: arXiv 2304.12760, code in SpikingJelly.
    """

    reference: ClassVar[str] = (
        "@inproceedings{fang2023parallel, author={Fang, Wei and Yu, Zhaofei and Zhou, Zhaokun and Chen, Ding and Chen,"
        " Yanqi and Ma, Zhengyu and Masquelier, Timoth{\\'e}e and Tian, Yonghong}, title={Parallel Spiking Neurons with"
        " High Efficiency and Ability to Learn Long-term Dependencies}, booktitle={NeurIPS}, year={2023},"
        " note={arXiv:2304.12760}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": "T", "add": "T + 1", "compare": 1}
    state_words: ClassVar[Words] = "T"
    state_writes: ClassVar[Words | None] = 1
    causal: ClassVar[bool] = False
    parallel_in_time: ClassVar[bool] = True
    fixed_length: ClassVar[bool] = True

    def __init__(self, T: int, *, surrogate: Surrogate = "atan", slope: Positive = 2.0) -> None:
        super().__init__()
        self.threshold = 0.0
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.weight = nn.Parameter(torch.empty(T, T))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        self.bias = nn.Parameter(torch.full((T, 1), -1.0))

    def mixing(self) -> Tensor:
        """The matrix [T, T] from input steps to membrane steps."""
        return self.weight

    def membrane(self, x: Tensor) -> Tensor:
        flat = x.reshape(x.shape[0], -1)  # [T, B·N]
        return torch.addmm(self.bias, self.mixing(), flat).view_as(x)

    def forward(self, x: Tensor) -> Tensor:
        return spike(self.membrane(x), self.surrogate, self.slope)
