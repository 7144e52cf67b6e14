"""Stochastic parallelizable spiking neuron: no reset, so all time steps can be computed at once."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from spikebench.neuron import Operations, StochasticNeuron, Words
from spikebench.numerics.scan import recurrence, two_filters
from spikebench.units import Positive, Share


class SPSN(StochasticNeuron):
    """Stochastic parallelizable spiking neuron (Yarga and Wood 2023, eq. 15 to 19, read from the authors' code):

        i_t = syn_decay·i_{t-1} + x_t
        v_t = mem_decay·v_{t-1} + (1 − mem_decay)·i_t                           (no reset)
        sb: p_t = σ(v_t)      gs: p_t = σ(2·v_t)      s_t = [uniform_t < p_t]

    Backward, sb: dL/dv = g·p²(1 − p) with estimator="authors" (their straight-through passes g·p to p), g·p(1 − p)
    with "straight-through". gs: through y_t = σ((2·v_t − logit(uniform_t))/tau), the relaxed sample; the difference of
    the paper's two Gumbels is one logistic variable, so one uniform is enough; uniforms below 2⁻²⁵ count as 2⁻²⁵.

    The published code multiplies three spectra at FFT size 2T; the tail then wraps round onto early steps. Here the
    filter is the recurrence itself, and the `fft` backend pads enough unless it is asked for padding=authors. Default
    decays: 20 ms at 1 ms steps.
    Source: arXiv 2306.12666. Caveat: the paper's full text was not read, the equations come from its public code.

    Options:
        mode: how a spike is drawn: sb from a sigmoid, gs from two Gumbels
        mem_decay: what the membrane keeps per step; the default is 20 ms at steps of 1 ms
        syn_decay: what the synaptic current keeps per step; 0 is no synapse
        estimator: the gradient through the sample in mode sb: the authors' or the usual straight-through one
        tau: the temperature of the relaxed sample of mode gs
    """

    reference: ClassVar[str] = (
        "@inproceedings{yarga2023accelerating, author={Yarga, Sidi Yaya Arnaud and Wood, Sean U. N.}, title={Accelerating"
        " {SNN} Training with Stochastic Parallelizable Spiking Neurons}, booktitle={IJCNN}, year={2023},"
        " note={arXiv:2306.12666}}"
    )
    operations: ClassVar[Operations] = {"mul": 3, "add": 2, "compare": 1, "special": 1, "draw": 1}
    state_words: ClassVar[Words] = 2
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    approximates: ClassVar[str | None] = "lif[decay={mem_decay},synapse_decay={syn_decay},input_scale=1-decay]"

    def __init__(
        self,
        *,
        mem_decay: Share = 0.951229424500714,
        syn_decay: Share = 0.951229424500714,
        mode: Literal["sb", "gs"] = "sb",
        estimator: Literal["authors", "straight-through"] = "authors",
        tau: Positive = 1.0,
    ) -> None:
        super().__init__()
        self.mem_decay, self.syn_decay, self.tau = mem_decay, syn_decay, tau
        self.mode, self.estimator = mode, estimator

    def potential(self, x: Tensor) -> Tensor:
        """Reset-free membrane v [T, B, N], one step after the other."""
        current = recurrence(x, self.syn_decay)
        return recurrence((1 - self.mem_decay) * current, self.mem_decay)

    def impulse(self, steps: int) -> Tensor:
        """Response of v to a unit input at step 0: [T] float64, by recurrence (the closed form is 0/0 at equal decays)."""
        return two_filters(self.syn_decay, self.mem_decay, steps)

    def probability(self, v: Tensor) -> Tensor:
        """Spike probability at membrane v, any shape."""
        return torch.sigmoid(v if self.mode == "sb" else 2 * v)

    def membrane(self, x: Tensor) -> Tensor:
        return self.probability(self.potential(x))

    def fire(self, v: Tensor, uniforms: Tensor) -> Tensor:
        """Spikes from the membrane v and uniforms, both [T, B, N]."""
        if self.mode == "sb":
            return _Bernoulli.apply(v, uniforms, self.estimator == "authors")  # pyright: ignore[reportReturnType]
        return _Gumbel.apply(v, uniforms, self.tau)  # pyright: ignore[reportReturnType]

    def forward(self, x: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return self.fire(self.potential(x), self.draw(x) if uniforms is None else uniforms)


class _Bernoulli(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, uniforms: Tensor, authors: bool) -> Tensor:
        p = torch.sigmoid(v)
        ctx.save_for_backward(p)
        ctx.authors = authors
        return (uniforms < p).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (p,) = ctx.saved_tensors
        return grad * p * (1 - p) * (p if ctx.authors else 1), None, None


class _Gumbel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, uniforms: Tensor, tau: float) -> Tensor:
        ctx.save_for_backward(v, uniforms)
        ctx.tau = tau
        return (uniforms < torch.sigmoid(2 * v)).to(v.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        v, uniforms = ctx.saved_tensors
        y = torch.sigmoid((2 * v - torch.logit(uniforms.clamp_min(2.0**-25))) / ctx.tau)
        return grad * y * (1 - y) * (2 / ctx.tau), None, None
