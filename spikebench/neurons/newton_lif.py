"""Hard-reset LIF computed in parallel: guess the spikes, rescan with the gates they open, until the guess holds."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.numerics.scan import gated
from spikebench.numerics.surrogate import Surrogate, derivative
from spikebench.units import Count, Positive, Share


class NewtonLIF(Neuron):
    """Exactly the LIF with hard reset, u_t = decay·(1 − s_{t-1})·u_{t-1} + x_t and s_t = [u_t ≥ threshold], solved as

        s⁰ = 0;   u^k = scan of x with gates decay·(1 − s^{k-1}_{t-1});   s^k = [u^k ≥ threshold]

    for up to `rounds` rounds k. As far as s^k = s^{k-1} the steps of a series are resolved, and one more is. A loop over
    steps, from the first that is not, finishes the series that are not whole. So the result does not depend on `rounds`:
    it is that of the loop but for rounding, which can move a spike where u is within rounding of the threshold.
    Backward: lif's with hard reset, as one scan in reverse, the reset differentiated unless detach_reset.

    After a forward call `rounds_used` is the number of rounds, `parallel_share` the share of all steps of all series that
    they resolved, and `loop_steps` the length of the loop that followed. A constant drive resolves about one interval between spikes per round, so that it needs hundreds.
    It does not say parallel_in_time: its loop has as many steps as the rounds leave.
    Source: Newton's method for recurrences in parallel is that of DEER (Lim et al. 2024); the derivative is taken with
    the spikes held fixed, and the finish is ours. No paper has this neuron; the equation is lif's.

    Options:
        rounds: the most rounds in parallel before a loop finishes the rest
    """

    reference: ClassVar[str] = (
        "@inproceedings{lim2024parallelizing, author={Lim, Yi Heng and Zhu, Qi and Selfridge, Joshua and Kasim, Muhammad"
        " Firmansyah}, title={Parallelizing non-linear sequential models over the sequence length}, booktitle={ICLR},"
        " year={2024}}"
    )
    LONGEST_T: ClassVar[int | None] = 4096
    operations: ClassVar[Operations] = {"mul": 1, "add": 1, "compare": 1, "select": 1}
    state_words: ClassVar[Words] = 1
    reset_kind: ClassVar[Reset] = "hard"
    gradient_reference: ClassVar[str | None] = (
        "lif[decay={decay},threshold={threshold},reset=hard,detach_reset={detach_reset},surrogate={surrogate},slope={slope}]"
    )
    approximates: ClassVar[str | None] = "lif[decay={decay},threshold={threshold},surrogate={surrogate},slope={slope}]"

    def __init__(
        self,
        *,
        decay: Share = 0.9,
        threshold: Positive = 1.0,
        rounds: Count = 16,
        detach_reset: bool = False,
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
    ) -> None:
        super().__init__()
        self.decay, self.threshold, self.rounds, self.detach_reset = decay, threshold, rounds, detach_reset
        self.surrogate: Surrogate = surrogate
        self.slope = slope
        self.rounds_used, self.loop_steps, self.parallel_share = 0, 0, 0.0

    def membrane(self, x: Tensor) -> Tensor:
        return _Rescan.apply(x, self)[1]  # pyright: ignore[reportOptionalSubscript]  # apply is untyped

    def forward(self, x: Tensor) -> Tensor:
        return _Rescan.apply(x, self)[0]  # pyright: ignore[reportOptionalSubscript]  # apply is untyped

    def from_guess(self, x: Tensor, guess: Tensor) -> Tensor:
        """Spikes [T, B, N] by rounds that start at a guess of them in place of none."""
        return _Rescan.apply(x, self, guess)[0]  # pyright: ignore[reportOptionalSubscript]  # apply is untyped

    def solve(self, x: Tensor, guess: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Spikes and membranes [T, B, N], without gradient; the rounds start at a guess of the spikes, else at none."""
        s, u, steps = torch.zeros_like(x) if guess is None else guess, x, len(x)
        resolved = torch.zeros(x.shape[1:], dtype=torch.int64, device=x.device)  # steps, per series
        self.rounds_used = 0
        while self.rounds_used < self.rounds and bool((resolved < steps).any()):
            u = gated(x, self._gates(s), "doubling")
            fired = (u >= self.threshold).to(x.dtype)
            wrong = fired != s
            resolved = torch.where(wrong.any(0), wrong.to(torch.int8).argmax(0) + 1, steps)
            s = fired
            self.rounds_used += 1
        self.parallel_share = float(resolved.double().mean()) / steps
        rest, start = resolved < steps, int(resolved.min())
        self.loop_steps = steps - start
        return self._finish(x, s, u, rest, start) if self.loop_steps else (s, u)

    def _gates(self, s: Tensor) -> Tensor:
        """decay·(1 − s_{t-1}) [T, B, N]."""
        return self.decay * (1 - torch.cat([torch.zeros_like(s[:1]), s[:-1]]))

    def _finish(self, x: Tensor, s: Tensor, u: Tensor, rest: Tensor, start: int) -> tuple[Tensor, Tensor]:
        """The series `rest` [B, N] step by step from `start`, before which their s and u hold."""
        v = (u * (1 - s))[start - 1, rest] if start else torch.zeros_like(x[0, rest])
        spikes, membranes = [], []
        for x_t in x[start:, rest].unbind(0):
            now = self.decay * v + x_t
            fired = (now >= self.threshold).to(x.dtype)
            v = now * (1 - fired)
            spikes.append(fired)
            membranes.append(now)
        s, u = s.clone(), u.clone()
        s[start:, rest], u[start:, rest] = torch.stack(spikes), torch.stack(membranes)
        return s, u


class _Rescan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, neuron: NewtonLIF, guess: Tensor | None = None) -> tuple[Tensor, Tensor]:
        s, u = neuron.solve(x, guess)
        ctx.save_for_backward(s, u)
        ctx.neuron = neuron
        return s, u

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        s, u = ctx.saved_tensors
        neuron: NewtonLIF = ctx.neuron
        slopes = derivative(u - neuron.threshold, neuron.surrogate, neuron.slope)
        passed = 1 - s if neuron.detach_reset else 1 - s - u * slopes  # dv/du
        e = grads[0] * slopes + grads[1]
        return gated(e.flip(0), (neuron.decay * passed).flip(0), "doubling").flip(0), None, None
