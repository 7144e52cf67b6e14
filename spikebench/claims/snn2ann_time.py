"""SNN2ANN trains in 0.377 of the time of BPTT, with 0.625 of its steps"""

from spikebench.claim import Claim, Number, PlannedComparison
from spikebench.claims._schemes import DIFFERS, against_bptt

STEPS = 0.625  # the share of the steps, which is no merit of the scheme


def same_steps(device: str, metric: str, claimed: Number) -> PlannedComparison:
    """Both at 5 steps, so that what fewer steps save is left out."""
    neuron, differs = "lif[decay=1.0,reset=hard,strict=true]", f"{DIFFERS}; no BatchNorm and no dropout"
    return against_bptt("snn2ann", 5, device, metric, claimed, neuron, differs=differs)


_CLAIMED = Number("1.66x", STEPS / 0.377)

CLAIM = Claim(
    paper="Tang, Lai, Xie, Yang and Zheng, SNN2ANN: A Fast and Memory-Efficient Training Framework for Spiking Neural Networks, "
    "2022, arXiv 2206.09449",
    sentence="0.377x training time, 0.27x GPU memory, 0.33x spikes and 0.625x steps (in short)",
    where="abstract",
    read="primary",
    claimed=_CLAIMED,
    setting="CIFAR; 5 steps of the authors' 8, Adam, batch 512, integrate-and-fire with hard reset",
    known=False,
    hardware="GPU; the model was not read",
    timed="training",
    caveat="0.377x holds 0.625x of fewer steps. Judged is what is left at the same number of steps, 0.60x or 1.66 times as fast.",
    scaled=(same_steps("cpu", "latency", _CLAIMED),),
    full=(same_steps("cuda", "latency", _CLAIMED),),
    budget=5.0,
    value=17,
)
