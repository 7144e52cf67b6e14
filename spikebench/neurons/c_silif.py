"""Complex state-space inspired LIF: a damped rotation with a soft reset, its damping, frequency and step learned."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn, zeros_like

from spikebench.neuron import Operations, Reset, State, SteppedNeuron, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive


class CSiLIF(SteppedNeuron):
    """Complex state-space inspired LIF (C-SiLIF; Fabre, Dudchenko, Bouhadjar and Neftci 2025; read in its authors' code), per neuron:

        u_t = α·(u_{t-1} − threshold/2·s_{t-1}) + b·x_t        (u and α complex)
        s_t = [2·Re u_t ≥ threshold]

    α = exp((−exp(log_decay) + i·omega)·exp(log_dt)); all four and b learn. Start: exp(log_decay) is ½, omega π,
    exp(log_dt) log-uniform in [0.01, 0.5], b uniform in [0, 1].
    State: Re u, Im u and s, each [B, N], in real arithmetic, so that every dtype works; `membrane` is 2·Re u. They start
    at 0 here and at random numbers in the authors' code.
    Source: arXiv 2506.06374, code Maxtimer97/SSM-inspired-LIF at 0d0b8ee (models/snns.py: CSiLIFLayer; the range of the
    step in parsers/model_config.py). There the comparison is >, and the threshold is 1.
    """

    reference: ClassVar[str] = (
        "@misc{fabre2025silif, author={Fabre, Maxime and Dudchenko, Lyubov and Bouhadjar, Younes and Neftci, Emre}, title={{SiLIF}: Structured"
        " State Space Model Dynamics and Parametrization for Spiking Neural Networks}, year={2025},"
        " note={arXiv:2506.06374}}"
    )
    operations: ClassVar[Operations] = {"mul": 5, "add": 4, "compare": 1, "select": 1}
    state_words: ClassVar[Words] = 3
    reset_kind: ClassVar[Reset] = "soft"
    per_neuron: ClassVar[tuple[str, ...]] = ("log_decay", "omega", "log_dt", "b")

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
        self.log_decay = nn.Parameter(torch.full((n,), math.log(0.5)))
        self.omega = nn.Parameter(torch.full((n,), math.pi))
        self.log_dt = nn.Parameter(torch.empty(n).uniform_(math.log(0.01), math.log(0.5)))
        self.b = nn.Parameter(torch.rand(n))

    def turn(self) -> tuple[Tensor, Tensor]:
        """Re α and Im α, each [N]."""
        dt = self.log_dt.exp()
        damping, angle = torch.exp(-self.log_decay.exp() * dt), self.omega * dt
        return damping * angle.cos(), damping * angle.sin()

    def initial(self, x: Tensor) -> State:
        return zeros_like(x), zeros_like(x), zeros_like(x)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        real, imag, s = state
        cos, sin = self.turn()
        real = real - self.threshold / 2 * (s.detach() if self.detach_reset else s)
        real, imag = cos * real - sin * imag + self.b * x, sin * real + cos * imag
        u = 2 * real
        s = spike(u - self.threshold, self.surrogate, self.slope)
        return s, u, (real, imag, s)
