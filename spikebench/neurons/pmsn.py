"""Parallel multi-compartment spiking neuron: linear compartments, and a soma that integrates and resets, all in parallel."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.units import Count, Positive


class PMSN(Neuron):
    """Parallel multi-compartment spiking neuron (Chen et al. 2024; read in its authors' code), per neuron:

        h_t = ā·h_{t-1} + b̄·x_t          y_t = Re Σ c·h_t + d·x_t       (h complex, of `state` compartments)
        v_t = r_{t-1} + max(0, y_t)       s_t = [v_t ≥ threshold]        r_t = v_t − threshold·⌊v_t/threshold⌋

    with ā = exp(Δ(−exp(log_decay) + i·omega)) and b̄ = (ā − 1)/(−exp(log_decay) + i·omega)·b. The soma does not leak and
    its input is not negative, so Σ of all inputs gives v of every step without a loop; a spike takes off all whole
    thresholds. Such a sum remembers every error: in float32 rounding moves a spike of one series in twenty within 10,000
    steps. So everything between the input and the spikes is computed in double precision, whatever the input's dtype.
    Backward: dL/dy_t = g_t·max(0, 1 − |v_t − threshold|)·[y_t > 0], as the authors', so no gradient goes through the soma's
    memory; then through the compartments, all of whose parameters learn, and d and Δ too.
    Start: the compartments are a chain, tridiagonal with −½ and ±5n, turned into its eigenvectors, the input enters all of
    them and the last one feeds the soma; Δ log-uniform in [0.001, 0.1], d normal.
    Source: arXiv 2408.14917, code xychen-comp/PMSN at 35dc0b7 (seqcifar1024/PMSN_neuron.py). Its serial form compares with
    >, its parallel form, which is here, with ≥.

    Options:
        state: how many compartments there are beside the soma
    """

    reference: ClassVar[str] = (
        "@misc{chen2024pmsn, author={Chen, Xinyi and Wu, Jibin and Ma, Chenxiang and Yan, Yinsong and Wu, Yujie and Tan, Kay"
        " Chen}, title={{PMSN}: A Parallel Multi-compartment Spiking Neuron for Multi-scale Temporal Processing}, year={2024},"
        " note={arXiv:2408.14917}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {
        "mul": "8 * state + 2",
        "add": "5 * state + 2",
        "special": 1,
        "compare": 1,
        "select": 1,
    }
    state_words: ClassVar[Words] = "2 * state + 1"
    reset_kind: ClassVar[Reset] = "soft"
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    per_neuron: ClassVar[tuple[str, ...]] = (
        "log_dt",
        "log_decay",
        "omega",
        "b_real",
        "b_imag",
        "c_real",
        "c_imag",
        "d",
    )

    def __init__(self, n: int, *, state: Count = 4, threshold: Positive = 1.0) -> None:
        super().__init__()
        self.threshold = threshold
        self.log_dt = nn.Parameter(torch.empty(n).uniform_(math.log(0.001), math.log(0.1)))
        frequency, basis = _chain(state)
        self.log_decay = nn.Parameter(torch.full((state, n), math.log(0.5)))  # [S, N], as all that follow
        self.omega = _each(frequency, n)
        enter, leave = basis.mH.sum(1), basis[-1]
        self.b_real, self.b_imag = _each(enter.real, n), _each(enter.imag, n)
        self.c_real, self.c_imag = _each(leave.real, n), _each(leave.imag, n)
        self.d = nn.Parameter(torch.randn(n))

    def discrete(self) -> tuple[Tensor, Tensor]:
        """ā and c·b̄, complex in double precision, each [S, N]."""
        rate = torch.complex(-self.log_decay.double().exp(), self.omega.double())
        decay = torch.exp(rate * self.log_dt.double().exp())
        b, c = (torch.complex(*(getattr(self, f"{k}_{part}").double() for part in ("real", "imag"))) for k in "bc")
        return decay, c * b * (decay - 1) / rate

    def kernel(self, steps: int) -> Tensor:
        """Response of Re Σ c·h to a unit input: [T, N] in double precision, with its gradient."""
        decay, weight = self.discrete()
        lag = torch.arange(steps, dtype=torch.float64, device=decay.device)[:, None, None]
        return (weight * torch.exp(lag * torch.log(decay))).sum(1).real

    def filtered(self, x: Tensor, by: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """y [T, B, N] in double precision; `by` computes what the compartments give."""
        wide = x.double()
        return (self._compartments(wide) if by is None else by(wide)) + self.d.double() * wide

    def _compartments(self, x: Tensor) -> Tensor:
        decay, weight = self.discrete()
        h, out = torch.zeros((), dtype=decay.dtype, device=x.device), []
        for x_t in x.unbind(0):
            h = decay * h + x_t[:, None]  # [B, S, N]
            out.append((weight * h).sum(1).real)
        return torch.stack(out)

    def soma(self, y: Tensor) -> Tensor:
        """v [T, B, N] of what arrives there."""
        total = y.clamp_min(0).cumsum(0)
        before = torch.cat([torch.zeros_like(total[:1]), total[:-1]])
        return total - self.threshold * (before / self.threshold).floor()

    def jump(self, x: Tensor) -> Tensor:
        return self.filtered(x).abs()

    def membrane(self, x: Tensor) -> Tensor:
        return self.soma(self.filtered(x)).to(x.dtype)

    def forward(self, x: Tensor) -> Tensor:
        return self.fire(self.filtered(x)).to(x.dtype)

    def both(self, x: Tensor, **noise: Tensor) -> tuple[Tensor, Tensor]:
        y = self.filtered(x)
        return self.fire(y).to(x.dtype), self.soma(y).to(x.dtype)

    def fire(self, y: Tensor) -> Tensor:
        """Spikes of what arrives at the soma, [T, B, N]."""
        return _Soma.apply(y, self)  # pyright: ignore[reportReturnType]  # apply is untyped


class _Soma(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, y: Tensor, neuron: PMSN) -> Tensor:
        v = neuron.soma(y)
        ctx.save_for_backward(v, y)
        ctx.threshold = neuron.threshold
        return (v >= neuron.threshold).to(y.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        v, y = ctx.saved_tensors
        return grad * (1 - (v - ctx.threshold).abs()).clamp_min(0) * (y > 0), None


def _each(values: Tensor, n: int) -> nn.Parameter:
    """The same values [S] for every neuron: [S, N]."""
    return nn.Parameter(values.float()[:, None].repeat(1, n))


def _chain(state: int) -> tuple[Tensor, Tensor]:
    """Imaginary parts of the eigenvalues [S] and eigenvectors [S, S] of the chain of compartments, without its diagonal."""
    link = 5.0 * torch.arange(1, state, dtype=torch.float64)
    return torch.linalg.eigh(-1j * (torch.diag(link, 1) - torch.diag(link, -1)))
