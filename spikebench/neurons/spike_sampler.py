"""Spike sampler: a linear state-space model over the input, and Bernoulli spikes with its clamped output as probability."""

import math
from typing import Annotated, Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import Operations, StochasticNeuron, Words


class SpikeSampler(StochasticNeuron):
    """SpikeSampler of P-SpikeSSM (Bal and Sengupta 2025; read in the authors' code), causal, one sampling:

        h_t = Ā h_{t-1} + B̄ x_t        y_t = Re C h_t + d·x_t        (h complex, of `state` entries)
        q_t = gain·y_t + bias          p_t = min(max(q_t, 0), 1)          s_t = [uniform_t < p_t]

    with per-neuron step Δ = softplus(dt) and A, B shared by the layer, C, dt, d, gain, bias per neuron:
        s4d:  A = diag(a), zero-order hold: Ā = exp(Δa), B̄ = (exp(Δa) − 1)/a·b
        dplr: A = diag(a) − p p*, bilinear: Ā = (1 − ΔA/2)⁻¹(1 + ΔA/2), B̄ = (1 − ΔA/2)⁻¹ Δb; dense, quadratic in `state`
    The entries are state/2 conjugate pairs; one of each is kept and y = 2·Re Σ. All of this learns.

    Backward through the sample: dL/dq = g·[0 ≤ q ≤ 1], straight through the probability, as torch.clamp has it: q = 0
    stands in silence, where the bias is 0.
    Start: "s4d" a_n = −½ − iπn, b = 1 (S4D-Lin); "dplr" HiPPO-LegS (its authors' choice); C complex normal, Δ
    log-uniform in [0.001, 0.1], d normal, gain 1, bias 0. state=64 as for psMNIST, 16 for ListOps.
    In float16 and bfloat16 the state is computed in float32. Source: arXiv 2406.02923, S4 code for s4d and the starts.
    Caveat: the paper's full text was not read. The published configuration is not causal (two-sided kernel), samples
    its input too and has a GELU before gain and bias: those belong to the block, not to this neuron.

    Options:
        ssm: the state-space model: s4d is diagonal, dplr diagonal plus low rank, with dense work
        state: how many numbers the state has
    """

    reference: ClassVar[str] = (
        "@inproceedings{bal2025pspikessm, author={Bal, Malyaban and Sengupta, Abhronil}, title={{P-SpikeSSM}: Harnessing"
        " Probabilistic Spiking State Space Models for Long-Range Dependency Tasks}, booktitle={ICLR}, year={2025},"
        " note={arXiv:2406.02923}}"
    )
    operations: ClassVar[Operations] = {"mul": "3 * state + 3", "add": "2.5 * state + 1", "compare": 1, "draw": 1}
    state_words: ClassVar[Words] = "state"
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    per_neuron: ClassVar[tuple[str, ...]] = ("c_real", "c_imag", "dt", "d", "gain", "bias")

    def __init__(self, n: int, *, ssm: Literal["s4d", "dplr"] = "s4d", state: Annotated[int, "[2, inf)"] = 64) -> None:
        super().__init__()
        if state < 2 or state % 2:
            raise ValueError(f"state={state} must be even: the entries are conjugate pairs")
        self.ssm = ssm
        a, b, p = _s4d_lin(state // 2) if ssm == "s4d" else _hippo_legs(state)
        self.a_log = nn.Parameter((-a.real).log().float())  # [S/2], a = −exp(a_log) + i·a_imag
        self.a_imag = nn.Parameter(a.imag.float())
        self.b_real, self.b_imag = nn.Parameter(b.real.float()), nn.Parameter(b.imag.float())
        if ssm == "dplr":
            self.p_real, self.p_imag = nn.Parameter(p.real.float()), nn.Parameter(p.imag.float())
        c = torch.randn(state // 2, n, dtype=torch.complex64)
        self.c_real, self.c_imag = nn.Parameter(c.real.clone()), nn.Parameter(c.imag.clone())  # [S/2, N]
        step = torch.exp(torch.empty(n).uniform_(math.log(0.001), math.log(0.1)))
        self.dt = nn.Parameter(step.expm1().log())  # softplus gives the step back
        self.d = nn.Parameter(torch.randn(n))
        self.gain, self.bias = nn.Parameter(torch.ones(n)), nn.Parameter(torch.zeros(n))

    def discrete(self) -> tuple[Tensor, Tensor]:
        """Of s4d: Ā and the weights C·B̄, both complex [S/2, N]: h_t = Ā·h_{t-1} + x_t, y_t = 2·Re Σ weight·h_t."""
        a, b, c = self._complex("a"), self._complex("b"), self._complex("c")
        decay = torch.exp(a[:, None] * self._step())
        return decay, c * (b / a)[:, None] * (decay - 1)

    def dense(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of dplr: Ā [N, S, S], B̄ [N, S] and C [N, S], complex, both entries of each pair."""
        a, b, p, c = (_pairs(self._complex(name)) for name in "abpc")
        matrix = torch.diag(a) - p[:, None] * p.conj()[None]
        step = self._step()[:, None, None]
        unit = torch.eye(len(a), dtype=a.dtype, device=a.device)
        left = unit - step / 2 * matrix
        both = torch.cat([unit + step / 2 * matrix, step * b[None, :, None]], dim=-1)
        solved = torch.linalg.solve(left, both)
        return solved[..., :-1], solved[..., -1], c.t()

    def filtered(self, x: Tensor) -> Tensor:
        """y [T, B, N]."""
        if self.ssm == "s4d":
            decay, weight = self.discrete()
            h, out = torch.zeros((), dtype=decay.dtype, device=x.device), []
            for x_t in x.unbind(0):
                h = decay * h + x_t[:, None]  # [B, S/2, N]
                out.append(2 * (weight * h).sum(1).real)
        else:
            matrix, enter, leave = self.dense()
            h, out = torch.zeros(*x.shape[1:], matrix.shape[-1], dtype=matrix.dtype, device=x.device), []
            for x_t in x.unbind(0):
                h = torch.einsum("nij,bnj->bni", matrix, h) + enter * x_t[..., None]  # [B, N, S]
                out.append((leave * h).sum(-1).real)
        return torch.stack(out).to(x.dtype) + self.d * x

    def score(self, x: Tensor) -> Tensor:
        """q [T, B, N], the probability before it is clamped."""
        return self.gain * self.filtered(x) + self.bias

    def jump(self, x: Tensor) -> Tensor:
        q = self.score(x)
        return torch.minimum(q.abs(), (q - 1).abs())  # the edges of the window

    def onto_jump(self, x: Tensor) -> bool:
        """Silence in the first half, where q is the bias: 0 and 1 in turn, the ends of the window."""
        with torch.no_grad():
            x[: max(1, len(x) // 2)] = 0
            self.bias[::2], self.bias[1::2] = 0, 1
        return True

    def membrane(self, x: Tensor) -> Tensor:
        return self.score(x).clamp(0, 1)

    def forward(self, x: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return self.fire(self.score(x), self.draw(x) if uniforms is None else uniforms)

    def fire(self, q: Tensor, uniforms: Tensor) -> Tensor:
        """Spikes from the score q and uniforms, both [T, B, N]."""
        return sampled(q, uniforms)

    def _complex(self, name: str) -> Tensor:
        """A complex parameter from its real ones, in float32 at least."""
        real = -torch.exp(_single(self.a_log)) if name == "a" else getattr(self, f"{name}_real")
        return torch.complex(_single(real), _single(getattr(self, f"{name}_imag")))

    def _step(self) -> Tensor:
        return nn.functional.softplus(_single(self.dt))


def sampled(q: Tensor, uniforms: Tensor) -> Tensor:
    """Spikes [uniforms < q]; backward g·[0 ≤ q ≤ 1], as of torch.clamp, which the authors call."""
    return _Window.apply(q, uniforms)  # pyright: ignore[reportReturnType]  # apply is untyped


class _Window(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, uniforms: Tensor) -> Tensor:
        ctx.save_for_backward(q)
        return (uniforms < q).to(q.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (q,) = ctx.saved_tensors
        return grad * ((q >= 0) & (q <= 1)), None


def _single(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def _pairs(x: Tensor) -> Tensor:
    """Both of each conjugate pair along the first axis."""
    return torch.cat([x, x.conj()])


def _s4d_lin(pairs: int) -> tuple[Tensor, Tensor, Tensor]:
    index = torch.arange(pairs, dtype=torch.float64)
    ones = torch.ones(pairs, dtype=torch.float64)
    return torch.complex(-ones / 2, -math.pi * index), torch.complex(ones, 0 * ones), torch.zeros(0)


def _hippo_legs(state: int) -> tuple[Tensor, Tensor, Tensor]:
    """a, b, p of HiPPO-LegS in its basis of conjugate pairs: A = V(diag(a) − p p*)V*, of S4's normal plus low rank form."""
    index = torch.arange(state, dtype=torch.float64)
    root = (2 * index + 1).sqrt()
    legs = -torch.tril(root[:, None] * root[None]) + torch.diag(index)
    low_rank = (index + 0.5).sqrt()
    skew = legs + low_rank[:, None] * low_rank[None] + torch.eye(state, dtype=torch.float64) / 2
    frequency, basis = torch.linalg.eigh(skew * -1j)
    half = basis[:, frequency < 0].mH  # [S/2, S]
    a = torch.complex(torch.full_like(frequency[frequency < 0], -0.5), frequency[frequency < 0])
    return a, half @ root.to(half.dtype), half @ low_rank.to(half.dtype)
