"""Resonate-and-fire neuron with the parametrisation of state-space layers: damping, frequency and step of each learn."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn, zeros_like

from spikebench.neuron import Operations, State, SteppedNeuron, Words
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Count, Positive


class S5RF(SteppedNeuron):
    """Resonate-and-fire neuron of S5-RF (Huber, Lecomte, Polovnikov and von Arnim 2025; read in its authors' code):

        z_t = ā·z_{t-1} + b̄·x_t        (z complex, no reset)
        exact:     ā = exp(Δλ)                       b̄ = 1
        zoh:       ā = exp(Δλ)                       b̄ = (ā − 1)/λ
        bilinear:  ā = (1 + Δλ/2)/(1 − Δλ/2)         b̄ = Δ/(1 − Δλ/2)
        s_t = [Re z_t ≥ threshold]   (cartesian)     [|z_t| ≥ threshold]   (polar)

    per neuron, λ = −exp(log_decay) + i·omega and Δ = exp(log_dt), which learn. Start: λ are the eigenvalues of the normal
    part of HiPPO-LegS of size `block`, one block of neurons after the other, Δ log-uniform in [0.001, 0.1].
    State: Re z and Im z, each [B, N], in real arithmetic, so that every dtype works.
    Source: arXiv 2504.00719, code ThomasEHuber/s5-rf at 3047ea2 (s5rf/model/resonator.py: RF; s5rf/util). There the
    comparison is >, "exact" is called dirac, and the input between layers is complex; this is the form for a real one
    (keep_imag=False). Where the eigenvectors mix neurons (zoh in the first layer) that product belongs to the layer.
    Caveat: the authors' surrogate, a sum of three Gaussians, is not among ours.

    Options:
        discretization: how the continuous equation becomes steps; exact is for inputs that are spikes
        activation: what is compared with the threshold: the real part, or the absolute value
        block: the size of the HiPPO matrix whose eigenvalues the neurons start with
    """

    reference: ClassVar[str] = (
        "@misc{huber2025scaling, author={Huber, Thomas E. and Lecomte, Jules and Polovnikov, Borislav and von Arnim, Axel},"
        " title={Scaling Up Resonate-and-Fire Networks for Fast Deep Learning}, year={2025}, note={arXiv:2504.00719}}"
    )
    operations: ClassVar[Operations] = {"mul": 5, "add": 3, "compare": 1}
    state_words: ClassVar[Words] = 2
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    per_neuron: ClassVar[tuple[str, ...]] = ("log_decay", "omega", "log_dt")

    def __init__(
        self,
        n: int,
        *,
        discretization: Literal["exact", "zoh", "bilinear"] = "exact",
        activation: Literal["cartesian", "polar"] = "cartesian",
        block: Count = 4,
        threshold: Positive = 1.0,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
    ) -> None:
        super().__init__()
        self.discretization, self.activation, self.threshold = discretization, activation, threshold
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.log_decay = nn.Parameter(torch.full((n,), math.log(0.5)))
        self.omega = nn.Parameter(_frequencies(block).repeat(-(-n // block))[:n].float())
        self.log_dt = nn.Parameter(torch.empty(n).uniform_(math.log(0.001), math.log(0.1)))

    def discrete(self) -> tuple[Tensor, Tensor]:
        """ā and b̄, complex in double precision, each [N]."""
        rate = torch.complex(-self.log_decay.double().exp(), self.omega.double())
        dt = self.log_dt.double().exp()
        if self.discretization == "bilinear":
            below = 1 - dt / 2 * rate
            return (1 + dt / 2 * rate) / below, dt / below
        decay = torch.exp(dt * rate)
        return decay, (decay - 1) / rate if self.discretization == "zoh" else torch.ones_like(decay)

    def initial(self, x: Tensor) -> State:
        return zeros_like(x), zeros_like(x)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, Tensor, State]:
        real, imag = state
        decay, gain = self.discrete()
        cos, sin, by_real, by_imag = (part.to(x.dtype) for part in (decay.real, decay.imag, gain.real, gain.imag))
        real, imag = cos * real - sin * imag + by_real * x, sin * real + cos * imag + by_imag * x
        u = self.compared(real, imag)
        return spike(u - self.threshold, self.surrogate, self.slope), u, (real, imag)

    def compared(self, real: Tensor, imag: Tensor) -> Tensor:
        """What is compared with the threshold, of the two parts of z."""
        return real if self.activation == "cartesian" else torch.hypot(real, imag)


def _frequencies(block: int) -> Tensor:
    """Imaginary parts of the eigenvalues of the normal part of HiPPO-LegS, in ascending order: [block]."""
    index = torch.arange(block, dtype=torch.float64)
    root, low_rank = (2 * index + 1).sqrt(), (index + 0.5).sqrt()
    normal = low_rank[:, None] * low_rank[None] - torch.tril(root[:, None] * root[None])  # but for its diagonal
    return torch.linalg.eigvalsh(-1j * (normal - torch.diag(normal.diagonal())))
