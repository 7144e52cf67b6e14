"""Fixed-point parallel training takes three iterations in place of all time steps, and less time"""

from typing import Literal

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_LIF, _FPT = "lif[decay=0.5]", "fpt[decay=0.5]"


def _at(T: int, B: int, device: Literal["cpu", "cuda"]) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=T, B=B, N=128, device=device),
        baseline=f"{_LIF}@indexed",
        candidate=f"{_FPT}@scan",
        strong=(f"{_LIF}@fused", f"{_FPT}@scan"),
        steps=(f"{_LIF}@indexed", f"{_LIF}@eager", f"{_LIF}@fused"),
        met=f"{T} steps, batch {B}, decay 0.5, three rounds over all steps; forward and backward",
        differs="a layer alone with 128 neurons, the leak as filter and not a learned matrix; whether their loop takes x[t] was not read: "
        "here it does",
    )


CLAIM = Claim(
    paper="Feng et al., Efficient Parallel Training Methods for Spiking Neural Networks with Constant Time Complexity, "
    "ICML 2025, arXiv 2506.12087",
    sentence="FPT reduces the time complexity to O(K), where K is a small constant (usually K=3), by using a fixed-point iteration "
    "form of Leaky Integrate-and-Fire (LIF) neurons for all T timesteps",
    where="abstract; sizes from the authors' code",
    read="primary",
    claimed=Number("more than 1x"),
    setting="Sequential CIFAR, 32 steps, batch 128, decay 0.5",
    known=True,
    hardware="GPU; the model was not read",
    timed="training; no single factor was read, so judged is only whether it is faster",
    caveat="It samples its spikes, and three rounds are near the LIF only at fast leaks or low rates: see the map of agreement.",
    scaled=(_at(32, 128, "cpu"), _at(1000, 4, "cpu")),
    full=(_at(32, 128, "cuda"), _at(1000, 4, "cuda")),
    budget=90.0,
    value=57,
)
