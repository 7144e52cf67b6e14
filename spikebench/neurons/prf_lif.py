"""Decoupled soft-reset LIF: the filter runs in parallel, the reset is a threshold that earlier spikes raise."""

from collections.abc import Callable
from typing import ClassVar, Literal

import torch
from torch import Tensor

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.numerics.scan import recurrence
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive, Share


class PRFLIF(Neuron):
    """Decoupled soft-reset LIF of Huang et al. 2024 (PRF paper), with its accumulation corrected:

        w_t = Σ_{j ≤ t} decay^{t−j}·x_j                       (no reset)
        a_t = s_{t-1} + decay·a_{t-1}   ("decayed")   or   s_{t-1} + a_{t-1}   ("printed")
        s_t = [w_t ≥ threshold·(decay·a_t + 1)]

    "decayed", the default, is exactly the LIF u_t = decay·(u_{t-1} − threshold·s_{t-1}) + x_t. As printed the paper sums
    past spikes without decay, which is another neuron unless decay is 1. `membrane` is w_t − threshold·decay·a_t, which
    is compared with the threshold. Backward: the surrogate, then the filter alone; the raised threshold is a constant,
    so that its loop over steps stays out of autograd (the gradient of slayer).
    Source: arXiv 2410.03530. Caveat: the correction is ours; it agrees with the LIF that the paper starts from.

    Options:
        decay: what membrane and raised threshold keep per step
        accumulation: how past spikes are summed: decayed is LIF exactly, printed is the paper's sum
    """

    reference: ClassVar[str] = (
        "@misc{huang2024prf, author={Huang, Yulong and Liu, Zunchang and Feng, Changchun and Lin, Xiaopeng and Ren,"
        " Hongwei and Fu, Haotian and Zhou, Yue and Xing, Hong and Cheng, Bojun}, title={{PRF}: Parallel Resonate and Fire"
        " Neuron for Long Sequence Learning in Spiking Neural Networks}, year={2024}, note={arXiv:2410.03530}}"
    )
    operations: ClassVar[Operations] = {"mul": 3, "add": 3, "compare": 1}
    state_words: ClassVar[Words] = 2
    reset_kind: ClassVar[Reset] = "soft"
    approximates: ClassVar[str | None] = "lif[decay={decay},threshold={threshold},surrogate={surrogate},slope={slope}]"

    def __init__(
        self,
        *,
        decay: Share = 0.5,
        threshold: Positive = 1.0,
        accumulation: Literal["decayed", "printed"] = "decayed",
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
    ) -> None:
        super().__init__()
        self.decay, self.threshold, self.accumulation = decay, threshold, accumulation
        self.surrogate: Surrogate = surrogate
        self.slope = slope

    def membrane(self, x: Tensor, by: Callable[[Tensor], Tensor] | None = None) -> Tensor:
        free = recurrence(x, self.decay) if by is None else by(x)
        return free - self._raised(free)

    def fire(self, membrane: Tensor) -> Tensor:
        """Spikes of what is compared with the threshold."""
        return spike(membrane - self.threshold, self.surrogate, self.slope)

    def forward(self, x: Tensor) -> Tensor:
        return self.fire(self.membrane(x))

    @torch.no_grad()
    def _raised(self, free: Tensor) -> Tensor:
        """How much earlier spikes raise the threshold, threshold·decay·a_t: [T, B, N]."""
        fade = self.decay if self.accumulation == "decayed" else 1.0
        sums, out = torch.zeros_like(free[0]), []
        for w in free.unbind(0):
            raised = self.threshold * self.decay * sums
            out.append(raised)
            sums = (w - raised >= self.threshold).to(w.dtype) + fade * sums
        return torch.stack(out)
