"""State-space inspired LIF: a leaky membrane and an adaptation, both with learned rates and one learned time step."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn, zeros_like

from spikebench.neuron import Operations, Reset, State, SteppedNeuron, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive


class SiLIF(SteppedNeuron):
    """State-space inspired LIF (SiLIF; Fabre, Dudchenko, Bouhadjar and Neftci 2025; read in its authors' code), per neuron:

        w_t = β·w_{t-1} + a·u_{t-1} + b·s_{t-1}
        u_t = α·(u_{t-1} − threshold·s_{t-1}) + (1 − α)·(x_t − w_t)
        s_t = [u_t ≥ threshold]

    α = exp(−exp(log_alpha + log_dt)) and β = exp(−exp(log_beta + log_dt)); a is kept in [0, 1] and b in [0, 2]. All of it
    learns. Start: the step exp(log_dt) is 4 ms, exp(log_alpha) log-uniform in [10, 250] a second, exp(log_beta) in
    [2.5, 10], a and b uniform in their ranges.
    State: u, s, w, each [B, N]. They start at 0 here and at random numbers in the authors' code.
    Source: arXiv 2506.06374, code Maxtimer97/SSM-inspired-LIF at 0d0b8ee (models/snns.py: SiLIFLayer). There the comparison
    is >, and the threshold is 1.
    """

    reference: ClassVar[str] = (
        "@misc{fabre2025silif, author={Fabre, Maxime and Dudchenko, Lyubov and Bouhadjar, Younes and Neftci, Emre}, title={{SiLIF}: Structured"
        " State Space Model Dynamics and Parametrization for Spiking Neural Networks}, year={2025},"
        " note={arXiv:2506.06374}}"
    )
    operations: ClassVar[Operations] = {"mul": 4, "add": 4, "compare": 1, "select": 2}
    state_words: ClassVar[Words] = 3
    reset_kind: ClassVar[Reset] = "soft"
    per_neuron: ClassVar[tuple[str, ...]] = ("log_dt", "log_alpha", "log_beta", "a", "b")

    def __init__(
        self,
        n: int,
        *,
        threshold: Positive = 1.0,
        detach_reset: bool = False,
        surrogate: Surrogate = "rectangle",
        slope: Positive = 1.0,
    ) -> None:
        super().__init__()
        self.threshold, self.detach_reset = threshold, detach_reset
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.log_dt = nn.Parameter(torch.full((n,), math.log(0.004)))
        self.log_alpha = nn.Parameter(torch.empty(n).uniform_(math.log(10.0), math.log(250.0)))
        self.log_beta = nn.Parameter(torch.empty(n).uniform_(math.log(2.5), math.log(10.0)))
        self.a = nn.Parameter(torch.rand(n))
        self.b = nn.Parameter(2 * torch.rand(n))

    def rates(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """α, β, a and b as they are used, each [N]."""
        alpha, beta = (torch.exp(-torch.exp(log + self.log_dt)) for log in (self.log_alpha, self.log_beta))
        return alpha, beta, self.a.clamp(0, 1), self.b.clamp(0, 2)

    def initial(self, x: Tensor) -> State:
        return zeros_like(x), zeros_like(x), zeros_like(x)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        u, s, w = state
        alpha, beta, a, b = self.rates()
        fed = s.detach() if self.detach_reset else s
        w = beta * w + a * u + b * fed
        u = alpha * (u - self.threshold * fed) + (1 - alpha) * (x - w)
        s = spike(u - self.threshold, self.surrogate, self.slope)
        return s, u, (u, s, w)
