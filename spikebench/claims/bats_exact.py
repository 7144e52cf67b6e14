"""The gradients of Fast and Deep with several spikes are exact"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Statement

_CASES = tuple(
    Case("fast_and_deep@fused", T=100, B=2, workload="events", network="events[width=32]", dtype="float64", rate=rate, seed=seed)
    for rate in (0.02, 0.05)
    for seed in range(3)
)  # fmt: skip

CLAIM = Claim(
    paper="Bacho and Chu, Exact Error Backpropagation Through Spikes for Precise Training of Spiking Neural Networks, 2022, arXiv 2212.09500",
    sentence="a new exact error-backpropagation through spikes method for SNNs, extending Fast & Deep to multiple spikes per neuron (in short)",
    where="abstract and the authors' code, Florian-BACHO/bats",
    read="code",
    claimed=None,
    setting="any; here a layer of 32 and a readout in float64, with 2 and 5 spikes a channel, and the loss of first spikes",
    known=True,
    hardware="any",
    timed="nothing; the largest error of a gradient against finite differences, relative to the largest gradient",
    caveat="Near a grazing crossing the gradient of a spike time grows without bound, and where a spike appears or vanishes there is none: "
    "such weights are left out and counted. The abstract gives no number for how fast the method is.",
    scaled=(
        Statement(_CASES, "exactness", "error", at_most=1e-6, met="several spikes a neuron, two layers, in float64"),
    ),
    device="any",
    budget=30.0,
    value=11,
)
