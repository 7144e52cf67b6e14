"""The dynamic decay neuron, whose work is linear in T, against PSN, 25.6x at 16,384 steps"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison


def _at(T: int, device: str) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=T, B=4, N=64, device=device),
        baseline="psn@eager",
        candidate="dsn@scan",
        strong=("psn@fused", "dsn@fused"),
        scaled=device == "cpu",
        met="PSN, whose matrix over all steps costs T², against a neuron that has none",
        differs="; ".join(
            [
                *[f"{T:,} steps for 16,384"] * (T != 16384),
                "one layer with B = 4, N = 64; DSN's kernels were not found, and its equation only in summaries",
            ]
        ),
    )


CLAIM = Claim(
    paper="Huang, Yao, Pan, Lv, Xu, Zheng, Xu and Li, Parallel Training in Spiking Neural Networks, arXiv 2602.01133",
    sentence="On 16k-length sequences, we achieve a 25.6x training speedup over the pioneering parallel spiking neuron, and our models "
    "trained on 2k-length can stably perform inference on sequences as long as 30k",
    where="abstract",
    read="primary",
    claimed=Number("25.6x"),
    setting="16k steps; network and batch were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="training",
    caveat="The equation of DSN was not read at its source, so that what is measured is a gated recurrence as long as it says.",
    scaled=(_at(2048, "cpu"), _at(512, "cpu")),
    full=(_at(16384, "cuda"),),
    budget=90.0,
    value=40,
)
