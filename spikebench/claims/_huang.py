"""What the claims of the PRF paper share."""

from typing import Literal

from spikebench.cases.case import Case, Mode
from spikebench.claim import Number, PlannedComparison

PAPER = (
    "Huang et al., PRF: Parallel Resonate and Fire Neuron for Long Sequence Learning in Spiking Neural Networks, "
    "arXiv 2410.03530"
)
HARDWARE = "RTX 4090"
LIF, DECOUPLED = "lif[decay=0.5]", "prf_lif[decay=0.5]"
CAVEAT = (
    "The text was read from a scan. As printed the decoupled neuron sums spikes without decay, which is another neuron; "
    "the corrected one, which equals LIF, is measured."
)


def timed(
    T: int,
    device: Literal["cpu", "cuda"],
    mode: Mode = "train",
    metric: str = "latency",
    claimed: Number | None = None,
    met: str = "784 steps, batch 64, 10 neurons",
) -> PlannedComparison:
    """Their decoupled neuron as a scan against the loop over x[t], whose backward pass takes O(T²) as they say of LIF."""
    return PlannedComparison(
        Case("lif", T=T, B=64, N=10, mode=mode, device=device),
        baseline=f"{LIF}@indexed",
        candidate=f"{DECOUPLED}@scan",
        strong=(f"{LIF}@fused", f"{DECOUPLED}@fused"),
        steps=tuple(f"{LIF}@{how}" for how in ("indexed", "eager", "fused")),
        metric=metric,
        claimed=claimed,
        met=met,
        differs="the neuron without its linear layer; whether their loop takes x[t] was not read, but its O(T²) says so; a scan for their FFT",
    )
