"""Newton's method over all steps at once against the loop of a nonlinear recurrence, up to 665 times faster"""

from typing import Literal

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_LIF, _NEWTON = "lif[reset=hard]", "newton_lif"


def _at(T: int, device: Literal["cpu", "cuda"], form: Literal["eager", "scan"] = "eager") -> PlannedComparison:
    start = "rounds that start at jumps from spike to spike" if form == "scan" else "rounds that start at silence"
    return PlannedComparison(
        Case("lif", T=T, B=4, N=128, device=device),
        baseline=f"{_LIF}@indexed",
        candidate=f"{_NEWTON}@{form}",
        strong=(f"{_LIF}@fused", f"{_NEWTON}@{form}"),
        steps=(f"{_LIF}@indexed", f"{_LIF}@eager", f"{_LIF}@fused"),
        met=f"{T:,} steps of a nonlinear recurrence, forward and backward, in rounds of a linear scan each; {start}",
        differs="LIF with hard reset for GRU and LSTM, whose jump Newton's method resolves one spike a round; our scan in PyTorch "
        "for their CUDA kernels",
    )


CLAIM = Claim(
    paper="ParaRNN: Unlocking Parallel Training of Nonlinear RNNs for Large Language Models, ICLR 2026",
    sentence="Our implementation achieves speedups of up to 665x over naive sequential application, allowing training nonlinear "
    "RNNs at unprecedented scales",
    where="abstract",
    read="primary",
    claimed=Number("665x"),
    setting="GRU and LSTM with diagonal and small block-diagonal Jacobians, three Newton iterations; sizes of the figure were not "
    "read",
    known=False,
    hardware="GPU; the model was not read",
    timed="the application of the recurrence",
    caveat="It is no spiking paper: what is tested is whether its method carries over to a neuron with an exact reset.",
    scaled=(_at(1000, "cpu"), _at(1000, "cpu", "scan")),
    full=(_at(4096, "cuda", "scan"), _at(4096, "cuda"), _at(1000, "cuda")),
    budget=60.0,
    value=44,
)
