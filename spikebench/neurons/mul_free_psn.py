"""Parallel spiking neuron of every channel that needs no multiplication: its weights are powers of two."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Count, Positive


class MulFreePSN(Neuron):
    """Multiplication-free channel-wise parallel spiking neuron (Xue et al. 2025), w [k] and θ of every neuron:

        h_t = Σ_{i<k} q(w_i)·x_{t−i·dilation} − θ,   x before the first step is 0
        s_t = [h_t ≥ 0]                               q(w) = sign(w)·2^round(log₂|w|), q(0) = 0

    so that a product is a shift of bits. Backward: the gradient of q is taken as 1. The paper's sawtooth is a dilation
    that differs from layer to layer; here it is an option of the layer.
    Source: arXiv 2501.14490 (the equation and the powers of two). Its code was not found.
    Caveat: how a weight is rounded, the start (w_i = ½^i, θ = 1, as in sliding_psn), the order k, the gradient through q
    and the surrogate were not read, and are ours.

    Options:
        k: how many inputs each step sees
        dilation: how many steps lie between them
    """

    verified: ClassVar[bool] = False
    reference: ClassVar[str] = (
        "@misc{xue2025channelwise, author={Xue, Peng and Fang, Wei and Ma, Zhengyu and Huang, Zihan and Zhou, Zhaokun and"
        " Tian, Yonghong and Masquelier, Timoth{\\'e}e and Zhou, Huihui}, title={Multiplication-Free Parallelizable Spiking"
        " Neurons with Efficient Spatio-Temporal Dynamics}, year={2025}, note={arXiv:2501.14490}}"
    )
    operations: ClassVar[Operations] = {"mul": "k", "add": "k", "compare": 1}
    state_words: ClassVar[Words] = "k"
    state_writes: ClassVar[Words | None] = 1
    parallel_in_time: ClassVar[bool] = True
    per_neuron: ClassVar[tuple[str, ...]] = ("weight", "theta")

    def __init__(
        self, n: int, *, k: Count = 4, dilation: Count = 1, surrogate: Surrogate = "atan", slope: Positive = 2.0
    ) -> None:
        super().__init__()
        self.threshold, self.dilation = 0.0, dilation
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.weight = nn.Parameter((0.5 ** torch.arange(float(k)))[:, None].repeat(1, n))
        self.theta = nn.Parameter(torch.ones(n))

    def shifts(self) -> Tensor:
        """q(w) [k, N], whose gradient passes as it is."""
        power = torch.exp2(torch.round(torch.log2(self.weight.detach().abs())))
        return self.weight + (power * self.weight.detach().sign() - self.weight.detach())

    def membrane(self, x: Tensor) -> Tensor:
        h = -self.theta
        for i, weight in enumerate(self.shifts()):
            late = x[: max(0, len(x) - i * self.dilation)]
            h = h + weight * torch.cat([x.new_zeros(len(x) - len(late), *x.shape[1:]), late])
        return h

    def forward(self, x: Tensor) -> Tensor:
        return spike(self.membrane(x), self.surrogate, self.slope)
