"""Parallel spiking unit: soft reset by the firing probability of a membrane without reset, so that no step waits."""

from typing import Annotated, ClassVar, Literal

import torch
from torch import Tensor, nn

from spikebench.neuron import Neuron, Operations, Reset, Words
from spikebench.numerics.scan import recurrence
from spikebench.numerics.surrogate import Surrogate, spike
from spikebench.units import Positive, Share


class PSU(Neuron):
    """Parallel spiking unit (Li et al. 2024):

        A_{ti} = gain·decay^{t−i} for i ≤ t,  B_{ti} = decay^{t−i} for i < t
        z = A x
        v = z − threshold·B σ(z)
        s = [v ≥ threshold]

    matrices: "lif", the default, has gain = 1 − decay, those of the soft-reset LIF with input scale 1 − decay: it
    satisfies v = A x − threshold·B s exactly, and here the probability σ(z) stands for the unknown spikes s, as a real
    number, nothing is sampled. "authors" has decay = gain = 1/tau, those of the authors' code; at tau = 2, their default,
    both are the same. Autograd goes through σ and both filters.

    form: "scan" computes A and B as recurrences, work O(T); "dense" as the published T×T products, work O(T²).
    learn_slope: the slope of the surrogate is a parameter, as in the authors' code.
    Source: arXiv 2402.00449 and its authors' code, Brain-Cog-Lab/PSU at 89fd724 (braincog/base/node/node.py:
    generate_matrix gives M1 = A and M2 = −B, PSU the equations). There the comparison is >, and the slope learns.

    Options:
        decay: what the membrane keeps per step, with matrices=lif
        matrices: which A and B: those of the LIF, or the authors'
        tau: the time constant that the authors' matrices are made of
        form: how A and B are applied: scan is two recurrences, dense two T×T products
    """

    reference: ClassVar[str] = (
        "@inproceedings{li2024parallel, author={Li, Yang and Sun, Yinqian and He, Xiang and Dong, Yiting and Zhao,"
        " Dongcheng and Zeng, Yi}, title={Parallel Spiking Unit for Efficient Training of Spiking Neural Networks},"
        " booktitle={IJCNN}, year={2024}, note={arXiv:2402.00449}}"
    )
    operations: ClassVar[Operations] = {"mul": 5, "add": 3, "compare": 1, "special": 1}
    state_words: ClassVar[Words] = 2
    LATER: ClassVar[tuple[str, ...]] = ("matrices", "tau", "learn_slope")
    reset_kind: ClassVar[Reset] = "mean-field"
    parallel_in_time: ClassVar[bool] = True
    stepwise: ClassVar[bool] = True
    approximates: ClassVar[str | None] = (
        "lif[decay={decay},threshold={threshold},input_scale=1-decay,surrogate={surrogate},slope={slope}]"
    )

    approximates_where: ClassVar[dict[str, str]] = {"matrices": "lif"}

    def __init__(
        self,
        *,
        decay: Share = 0.5,
        threshold: Positive = 1.0,
        form: Literal["scan", "dense"] = "scan",
        surrogate: Surrogate = "atan",
        slope: Positive = 2.0,
        matrices: Literal["lif", "authors"] = "lif",
        tau: Annotated[float, "[1, inf)"] = 2.0,
        learn_slope: bool = False,
    ) -> None:
        super().__init__()
        self.decay, self.threshold, self.form = _decay(matrices, decay, tau), threshold, form
        self.matrices = matrices
        self.surrogate: Surrogate = surrogate
        self.slope: float | nn.Parameter = nn.Parameter(torch.tensor(slope)) if learn_slope else slope

    @property
    def gain(self) -> float:
        """What A multiplies an input by at its own step."""
        return self.decay if self.matrices == "authors" else 1 - self.decay

    def leaky(self, x: Tensor) -> Tensor:
        """A x, the membrane without reset: [T, ...]."""
        if self.form == "dense":
            return self.gain * torch.tensordot(_powers(x, self.decay).tril(), x, 1)
        return recurrence(self.gain * x, self.decay)

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


def _decay(matrices: str, decay: float, tau: float) -> float:
    """The decay of both matrices; ValueError where the option that does not count is set."""
    if matrices == "authors":
        if decay != 0.5:
            raise ValueError(f"matrices=authors takes its decay from tau (1/tau): leave decay={decay} out")
        if not tau > 0:
            raise ValueError(f"tau={tau} is not a time constant: give a number above 0")
        return 1 / tau
    if tau != 2.0:
        raise ValueError(f"tau={tau} is of matrices=authors: add that, or give decay=1-1/tau")
    return decay


def _powers(x: Tensor, decay: float) -> Tensor:
    """decay^{t−i} where i ≤ t, [T, T] in the dtype of x; above the diagonal 1."""
    step = torch.arange(x.shape[0], device=x.device)
    return torch.as_tensor(decay, dtype=x.dtype, device=x.device) ** (step[:, None] - step[None, :]).clamp_min(0)
