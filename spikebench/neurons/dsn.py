"""Dynamic decay spiking neuron: no reset, and a decay that a causal convolution of the input decides at every step."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Words
from spikebench.numerics.scan import gated
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Count, Positive


class DSN(Neuron):
    """Dynamic decay spiking neuron (Huang et al. 2026), w [k] and bias of every neuron:

        β_t = σ(Σ_{i<k} w_i·x_{t−k+1+i} + bias),   x before the first step is 0
        h_t = β_t·h_{t-1} + (1 − β_t)·x_t          (no reset)
        s_t = [h_t ≥ threshold]

    Source: arXiv 2602.01133, of which only the abstract was read. No code of its authors was found.
    Caveat: the equation is put together from what reviewers of the paper and a summary of it say: a causal convolution
    and a sigmoid make a gate, which multiplies the state before and, as 1 minus it, the input. k, the start (w uniform in
    ±1/√k, bias 0) and the surrogate are ours. The paper also trains with spikes that are integers, and in one variant
    mixes neurons. Neither is here.

    Options:
        k: how many of the last steps decide on the decay
    """

    verified: ClassVar[bool] = False
    reference: ClassVar[str] = (
        "@misc{huang2026parallel, author={Huang, Yanbin and Yao, Man and Pan, Yuqi and Lv, Changze and Xu, Siyuan and"
        " Zheng, Xiaoqing and Xu, Bo and Li, Guoqi}, title={Parallel Training in Spiking Neural Networks}, year={2026},"
        " note={arXiv:2602.01133}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": "k + 2", "add": "k + 2", "special": 1, "compare": 1}
    state_words: ClassVar[Words] = "k"
    state_writes: ClassVar[Words | None] = 2
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    per_neuron: ClassVar[tuple[str, ...]] = ("weight", "bias")

    def __init__(
        self, n: int, *, k: Count = 4, threshold: Positive = 1.0, surrogate: Surrogate = "atan", slope: Positive = 2.0
    ) -> None:
        super().__init__()
        self.threshold = threshold
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.weight = nn.Parameter((2 * torch.rand(k, n) - 1) * k**-0.5)
        self.bias = nn.Parameter(torch.zeros(n))

    def decays(self, x: Tensor) -> Tensor:
        """β [T, B, N]."""
        k, steps = len(self.weight), len(x)
        padded = torch.cat([x.new_zeros(k - 1, *x.shape[1:]), x])
        z = self.bias + self.weight[0] * padded[:steps]
        for i in range(1, k):
            z = z + self.weight[i] * padded[i : i + steps]
        return torch.sigmoid(z)

    def membrane(self, x: Tensor, by: Callable[[Tensor, Tensor], Tensor] = gated) -> Tensor:
        """h [T, B, N]; `by` computes a linear recurrence with the gates it is given."""
        decays = self.decays(x)
        return by((1 - decays) * x, decays)

    def forward(self, x: Tensor) -> Tensor:
        return self.fire(self.membrane(x))

    def fire(self, h: Tensor) -> Tensor:
        """Spikes of a membrane, any shape."""
        return spike(h - self.threshold, self.surrogate, self.slope)
