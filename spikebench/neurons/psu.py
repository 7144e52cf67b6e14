"""Parallel spiking unit: soft reset by the firing probability of a membrane without reset, so that no step waits."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.scan import recurrence
from spikebench.surrogate import Surrogate, spike


class PSU(Neuron):
    """Parallel spiking unit (Li et al. 2024), read in its authors' BrainCog code:

        A_{ti} = (1 − decay)·decay^{t−i} for i ≤ t,  B_{ti} = decay^{t−i} for i < t     (decay = 1 − 1/tau)
        z = A x
        v = z − threshold·B σ(z)
        s = [v ≥ threshold]

    A soft-reset LIF with input scale 1 − decay satisfies v = A x − threshold·B s exactly; here the probability σ(z)
    stands for the unknown spikes s, as a real number, nothing is sampled. Autograd goes through σ and both filters.

    form: "scan" computes A and B as recurrences, work O(T); "dense" as the published T×T products, work O(T²).
    Source: arXiv 2402.00449. Doubt: BrainCog calls a function for its two matrices that it does not define; they are
    taken from the identity above (M1 = A, M2 = −B). BrainCog also learns the slope of the surrogate and compares with >.
    """

    reference: ClassVar[str] = (
        "@inproceedings{li2024parallel, author={Li, Yang and Sun, Yinqian and He, Xiang and Dong, Yiting and Zhao,"
        " Dongcheng and Zeng, Yi}, title={Parallel Spiking Unit for Efficient Training of Spiking Neural Networks},"
        " booktitle={IJCNN}, year={2024}, note={arXiv:2402.00449}}"
    )
    operations: ClassVar[Operations] = {"mul": 5, "add": 3, "compare": 1, "special": 1}
    state_words: ClassVar[Words] = 2
    reset_kind: ClassVar[Reset] = "mean-field"
    parallel_in_time: ClassVar[bool] = True
    twin: ClassVar[str | None] = (
        "lif[decay={decay},threshold={threshold},input_scale=1-decay,surrogate={surrogate},slope={slope}]"
    )

    def __init__(
        self,
        *,
        decay: float = 0.5,
        threshold: float = 1.0,
        form: Literal["scan", "dense"] = "scan",
        surrogate: Surrogate = "atan",
        slope: float = 2.0,
    ) -> None:
        super().__init__()
        self.decay, self.threshold, self.form = decay, threshold, form
        self.surrogate: Surrogate = surrogate
        self.slope = slope

    def leaky(self, x: Tensor) -> Tensor:
        """A x, the membrane without reset: [T, ...]."""
        if self.form == "dense":
            return (1 - self.decay) * torch.tensordot(_powers(x, self.decay).tril(), x, 1)
        return recurrence((1 - self.decay) * x, self.decay)

    def past(self, x: Tensor) -> Tensor:
        """B x, what earlier steps have left of x: [T, ...]."""
        if self.form == "dense":
            return torch.tensordot(_powers(x, self.decay).tril(-1), x, 1)
        return torch.cat([torch.zeros_like(x[:1]), self.decay * recurrence(x, self.decay)[:-1]])

    def membrane(self, x: Tensor) -> Tensor:
        z = self.leaky(x)
        return z - self.threshold * self.past(torch.sigmoid(z))

    def forward(self, x: Tensor) -> Tensor:
        return spike(self.membrane(x) - self.threshold, self.surrogate, self.slope)


def _powers(x: Tensor, decay: float) -> Tensor:
    """decay^{t−i} where i ≤ t, [T, T] in the dtype of x; above the diagonal 1."""
    step = torch.arange(x.shape[0], device=x.device)
    return torch.as_tensor(decay, dtype=x.dtype, device=x.device) ** (step[:, None] - step[None, :]).clamp_min(0)
