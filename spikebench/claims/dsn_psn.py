"""A neuron whose work is linear in T against PSN, 25.6x at 16,384 steps"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison


def _at(T: int, device: str) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=T, B=4, N=64, device=device),
        baseline="psn@eager",
        candidate="spsn@fft",
        strong=("psn@fused", "spsn@fused"),
        scaled=device == "cpu",
        met="PSN, whose matrix over all steps costs T², against a neuron that has none",
        differs="; ".join(
            [
                *[f"{T:,} steps for 16,384"] * (T != 16384),
                "SPSN in the place of DSN, which this suite does not have; one layer with B = 4, N = 64",
            ]
        ),
    )


CLAIM = Claim(
    paper="Parallel Training in Spiking Neural Networks, arXiv 2602.01133",
    sentence="25.6 times faster than PSN at 16k steps (in short)",
    where="abstract",
    read="primary",
    claimed=Number("25.6x"),
    setting="16k steps; network and batch were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="training",
    caveat="Only PSN's side is theirs: what is tested is that its T² loses to work linear in T.",
    scaled=(_at(2048, "cpu"), _at(512, "cpu")),
    full=(_at(16384, "cuda"),),
    budget=120.0,
    value=40,
)
