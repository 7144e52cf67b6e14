"""Fixed-point parallel training: the soft-reset LIF's equation solved in a few rounds over all steps, then sampled."""

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import Operations, Reset, StochasticNeuron, Words
from spikebench.numerics.scan import recurrence
from spikebench.units import Count, Positive, Share


class FPT(StochasticNeuron):
    """Neuron of fixed-point parallel training (Feng et al. 2025; read in its authors' code), with L_{ti} = decay^{t−i}, i ≤ t:

        h⁰ = L x − threshold                                       p⁰ = σ(a_0·h⁰)
        h^k = L (x − threshold·p^{k−1}) − threshold·(1 − p^{k−1})  p^k = σ(a_k·h^k)      k = 1 … rounds − 1
        s_t = [uniform_t < p_t]                                    p of the last round

    A soft-reset LIF, u = L x − threshold·(L − 1) s and s = [u ≥ threshold], is a fixed point of it if p are its spikes. Here
    p are probabilities, so the reset is a mean field, made sharper every round: a is 1, then 3, and 12 in the last round.
    Backward: the derivative of σ(a·h) is taken as c·q·(1 − q), q = σ(c·h), c = max(1, a/3); that of the sample is 1.

    filter: "leak" is L itself: no parameters, any T, work O(rounds·T). "learned", as in the authors' code, has tril(W) in
    place of L and a bias per step in place of −threshold (of their threshold, 1); W [T, T] and b [T] learn and start as those.
    With 3 rounds it is close to the LIF only for a fast leak or few spikes; see the metric `agreement`.
    The authors' second variant learns a, and does not mask W: it is not causal, and is not here.
    Source: arXiv 2506.12087, code WanjinVon/FPT at 47bc819 (my_seq_cifar100/main_seq_cifar100.py: FPT_adaptive_alpha, with
    3 rounds; of other numbers of rounds only the last one has 12, which is ours).

    Options:
        rounds: how often the equation is applied
        filter: what is applied to the input: the leak, or a learned matrix that starts as it
    """

    reference: ClassVar[str] = (
        "@inproceedings{feng2025fpt, author={Feng, Wanjin and Gao, Xingyu and Du, Wenqian and Shi, Hailong and Zhao, Peilin"
        " and Wu, Pengcheng and Miao, Chunyan}, title={Efficient Parallel Training Methods for Spiking Neural Networks with"
        " Constant Time Complexity}, booktitle={ICML}, year={2025}, note={arXiv:2506.12087}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {
        "mul": "4 * rounds - 2",
        "add": "4 * rounds - 2",
        "special": "rounds",
        "compare": 1,
        "draw": 1,
    }
    state_words: ClassVar[Words] = "rounds"
    reset_kind: ClassVar[Reset] = "mean-field"
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    surrogate_membrane: ClassVar[bool] = True
    approximates: ClassVar[str | None] = "lif[decay={decay},threshold={threshold}]"

    def __init__(
        self,
        T: int,
        *,
        decay: Share = 0.5,
        threshold: Positive = 1.0,
        rounds: Count = 3,
        filter: Literal["leak", "learned"] = "leak",
    ) -> None:
        super().__init__()
        if filter == "learned" and threshold != 1:
            raise ValueError(f"threshold={threshold} is of filter=leak: the learned filter has a bias of its own")
        self.decay, self.threshold, self.rounds, self.filter = decay, threshold, rounds, filter
        if filter == "learned":
            lag = torch.arange(T)[:, None] - torch.arange(T)
            self.weight = nn.Parameter((decay ** lag.clamp_min(0).double()).tril().float())
            self.bias = nn.Parameter(torch.full((T, 1), -1.0))

    def sharpness(self) -> list[float]:
        """a of every round."""
        return [1.0, *[3.0] * (self.rounds - 2), 12.0][-self.rounds :]

    @staticmethod
    def flattened(a: float) -> float:
        """c, the sharpness whose derivative stands for that of a."""
        return max(1.0, a / 3)

    def membrane(self, x: Tensor, by: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        """The probability of the last round [T, B, N]; `by` computes L of a sequence."""
        p = None
        for a in self.sharpness():
            fed = x if p is None else x - self.threshold * p
            h = self._filtered(fed) if by is None else by(fed) - self.threshold
            p = _sharpened(h if p is None else h + self.threshold * p, a)
        assert p is not None
        return p

    def _filtered(self, x: Tensor) -> Tensor:
        if self.filter == "leak":
            return recurrence(x, self.decay) - self.threshold
        flat = x.reshape(x.shape[0], -1)  # [T, B·N]
        return torch.addmm(self.bias, self.weight.tril(), flat).view_as(x)

    def forward(self, x: Tensor, uniforms: Tensor | None = None) -> Tensor:
        return self.fire(self.membrane(x), self.draw(x) if uniforms is None else uniforms)

    def fire(self, p: Tensor, uniforms: Tensor) -> Tensor:
        """Spikes [T, B, N] with the probabilities p, whose gradient passes as it is."""
        return _Sampled.apply(p, uniforms)  # pyright: ignore[reportReturnType]  # apply is untyped

    def both(self, x: Tensor, **noise: Tensor) -> tuple[Tensor, Tensor]:
        p = self.membrane(x)
        return self.fire(p, noise["uniforms"] if "uniforms" in noise else self.draw(x)), p


class _Sharpened(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, a: float) -> Tensor:
        ctx.save_for_backward(h)
        ctx.a = a
        return torch.sigmoid(a * h)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (h,) = ctx.saved_tensors
        c = FPT.flattened(ctx.a)
        q = torch.sigmoid(c * h)
        return grad * (c * q * (1 - q)), None


def _sharpened(h: Tensor, a: float) -> Tensor:
    return _Sharpened.apply(h, a)  # pyright: ignore[reportReturnType]  # apply is untyped


class _Sampled(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, p: Tensor, uniforms: Tensor) -> Tensor:
        return (uniforms < p).to(p.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return grad, None
