"""Gated leaky integrate-and-fire neuron: learned gates mix two kinds of leak, of integration and of reset."""

from typing import ClassVar

import torch
from torch import Tensor, logit, nn

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Inner, Positive, Share


class GLIF(Neuron):
    """Gated leaky integrate-and-fire (Yao et al. 2022; read in the authors' code and SpikingJelly), per neuron:

        u_t = (1 − α(1 − τ))·u_{t-1}·(1 − γ s_{t-1}) − (1 − α)·leak + (1 − β(1 − g_t))·x_t − (1 − γ)·v_re·s_{t-1}
        s_t = [u_t ≥ θ]

    All of α, β, γ (gates), τ, θ, leak, v_re and g_t (one per step) are sigmoids of learned numbers. α mixes exponential
    and linear leak, β plain and time-dependent input, γ hard reset and reset by v_re. The reset is differentiated.
    Start: gate options i as ½ + (i − ½)/2, v_re at the threshold, leak none at threshold/(2T), else as given. With
    random_gates the numbers behind α, β and γ start at 0.2·(U − ½), U even in [0, 1), one for each neuron, as the authors'
    DVS code and SpikingJelly 2.0 have it: gates about ½; the gate options then do not count.
    Surrogate: a sigmoid of slope 4 (SpikingJelly); the authors use surrogate=rectangle, slope=1, and compare with >.
    Source: NeurIPS 2022, arXiv 2210.13768. The authors' layer-wise class starts the gates at 1 − that, with a sign that
    their channel-wise class has not; ours is channel-wise.

    Options:
        alpha: where the gate between exponential and linear leak starts
        beta: where the gate between plain and time-dependent input starts
        gamma: where the gate between hard reset and reset by v_re starts
        tau: where the exponential decay τ starts
        conduct: where the weight g_t of the input of each step starts
        leak: where the linear leak starts; None is threshold/(2T)
        threshold: where the learned threshold θ starts
        random_gates: the gates start at random about ½, one for each neuron
    """

    reference: ClassVar[str] = (
        "@inproceedings{yao2022glif, author={Yao, Xingting and Li, Fanrong and Mo, Zitao and Cheng, Jian}, title={{GLIF}:"
        " A Unified Gated Leaky Integrate-and-Fire Neuron for Spiking Neural Networks}, booktitle={NeurIPS}, year={2022}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": 3, "add": 3, "compare": 1, "select": 2}
    state_words: ClassVar[Words] = 2
    reset_kind: ClassVar[Reset] = "soft"
    fixed_length: ClassVar[bool] = True
    LATER: ClassVar[tuple[str, ...]] = ("random_gates",)
    per_neuron: ClassVar[tuple[str, ...]] = ("alpha", "beta", "gamma", "tau", "theta", "leak", "v_re", "g")

    def __init__(
        self,
        n: int,
        T: int,
        *,
        alpha: Share = 0.6,
        beta: Share = 0.8,
        gamma: Share = 0.6,
        tau: Inner = 0.25,
        threshold: Inner = 0.5,
        conduct: Inner = 0.5,
        leak: Inner | None = None,
        surrogate: Surrogate = "sigmoid",
        slope: Positive = 4.0,
        random_gates: bool = False,
    ) -> None:
        super().__init__()
        if random_gates and (alpha, beta, gamma) != (0.6, 0.8, 0.6):
            raise ValueError("random_gates=true starts alpha, beta and gamma at random: leave them out")
        leak = threshold / (2 * T) if leak is None else leak
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.alpha, self.beta, self.gamma = (_logits(0.5 + (gate - 0.5) / 2, n) for gate in (alpha, beta, gamma))
        if random_gates:
            self.alpha, self.beta, self.gamma = (nn.Parameter(0.2 * (torch.rand(n) - 0.5)) for _ in range(3))
        self.tau, self.theta, self.leak, self.v_re = (_logits(p, n) for p in (tau, threshold, leak, threshold))
        self.g = _logits(conduct, T, n)

    def margin(self, membrane: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return (membrane - torch.sigmoid(self.theta)).abs()

    def membrane(self, x: Tensor) -> Tensor:
        return self._run(x)[1]

    def forward(self, x: Tensor) -> Tensor:
        return self._run(x)[0]

    def _run(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Spikes and membranes [T, B, N]."""
        alpha, beta, gamma, tau, theta, leak, v_re, g = (torch.sigmoid(getattr(self, p)) for p in self.per_neuron)
        keep, fall, drop = 1 - alpha * (1 - tau), (1 - alpha) * leak, (1 - gamma) * v_re
        current = (1 - beta * (1 - g))[:, None] * x
        u = s = torch.zeros_like(x[0])
        spikes, membranes = [], []
        for i_t in current.unbind(0):
            u = keep * u * (1 - gamma * s) - fall + i_t - drop * s
            s = spike(u - theta, self.surrogate, self.slope)
            spikes.append(s)
            membranes.append(u)
        return torch.stack(spikes), torch.stack(membranes)


def _logits(value: float, *shape: int) -> nn.Parameter:
    """A parameter whose sigmoid is `value`."""
    return nn.Parameter(logit(torch.full(shape, value)))
