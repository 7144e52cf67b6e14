"""Parallel resonate-and-fire neuron: a damped oscillator without reset that spikes where its real part is high."""

import math
from typing import ClassVar

import torch
from torch import Tensor, nn, zeros_like

from spikebench.neuron import Operations, State, SteppedNeuron, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive


class PRF(SteppedNeuron):
    """Parallel resonate-and-fire (Huang et al. 2024; read in the paper's text and the authors' code), per neuron:

        z_t = exp(Δ·(−1/tau + i·ω))·z_{t-1} + Δ·x_t        (z complex, no reset)
        s_t = [Re z_t ≥ threshold]

    Δ = exp(log_dt) and ω = exp(log_omega) learn; they start log-uniform in [0.001, 0.1] and uniform in (0, 2π).
    State: Re z and Im z, each [B, N], in real arithmetic, so that every dtype works. Source: arXiv 2410.03530.

    Options:
        tau: the time constant of the damping
    """

    reference: ClassVar[str] = (
        "@misc{huang2024prf, author={Huang, Yulong and Liu, Zunchang and Feng, Changchun and Lin, Xiaopeng and Ren,"
        " Hongwei and Fu, Haotian and Zhou, Yue and Xing, Hong and Cheng, Bojun}, title={{PRF}: Parallel Resonate and Fire"
        " Neuron for Long Sequence Learning in Spiking Neural Networks}, year={2024}, note={arXiv:2410.03530}}"
    )
    operations: ClassVar[Operations] = {"mul": 5, "add": 3, "compare": 1}
    state_words: ClassVar[Words] = 2
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    per_neuron: ClassVar[tuple[str, ...]] = ("log_dt", "log_omega")

    def __init__(
        self,
        n: int,
        *,
        tau: Positive = 2.0,
        threshold: Positive = 1.0,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
    ) -> None:
        super().__init__()
        self.tau, self.threshold = tau, threshold
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.log_dt = nn.Parameter(torch.empty(n).uniform_(math.log(0.001), math.log(0.1)))
        self.log_omega = nn.Parameter((2 * math.pi * torch.rand(n).clamp_min(2.0**-24)).log())

    def kernel(self, steps: int) -> Tensor:
        """Response of Re z to a unit input at step 0, Δ·exp(−kΔ/tau)·cos(kΔω): [T, N] float64, with its gradient."""
        dt, omega = self.log_dt.double().exp(), self.log_omega.double().exp()
        lag = torch.arange(steps, dtype=torch.float64, device=dt.device)[:, None] * dt
        return dt * torch.exp(-lag / self.tau) * torch.cos(lag * omega)

    def initial(self, x: Tensor) -> State:
        return zeros_like(x), zeros_like(x)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        real, imag = state
        dt = self.log_dt.exp()
        damping, angle = torch.exp(-dt / self.tau), dt * self.log_omega.exp()
        cos, sin = damping * angle.cos(), damping * angle.sin()
        real, imag = cos * real - sin * imag + dt * x, sin * real + cos * imag
        return spike(real - self.threshold, self.surrogate, self.slope), real, (real, imag)
