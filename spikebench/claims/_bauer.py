"""What the claims about EXODUS and SLAYER share: the networks of their comparison, in the authors' timing."""

from typing import Literal

from spikebench.cases.case import Case
from spikebench.claim import Number, PlannedComparison

PAPER = (
    "Bauer, Lenz, Haghighatshoar and Sheik, EXODUS: Stable and Efficient Training of Spiking Neural Networks, "
    "Frontiers in Neuroscience 2023, arXiv 2205.10242"
)
SETTING = (
    "100 input channels, 3 layers of 128 neurons, 250 steps of 4 ms, batch 128; integrate-and-fire in effect (time "
    "constant 1e5), exponential surrogate of width 1"
)
HARDWARE = "GPU; a GTX 1080 Ti according to another source"
TIMED = "time.time() around y.sum().backward(), without waiting for the GPU; the first pass of BPTT is not discarded"
OPTIONS = "[decay=0.99999,width=1.0]"
BPTT = f"exodus{OPTIONS}@bptt"
LIF = "lif[decay=0.99999,surrogate=exponential,slope=1.0]@fused"
MET = "network, widths, steps and constants; the opponent fires several spikes a step and takes x[t], as Sinabs does"


def timed(
    neuron: str,
    device: str,
    network: str,
    number: Number | None = None,
    metric: str = "latency",
    mode: Literal["train", "forward"] = "train",
) -> PlannedComparison:
    """One network, its neuron fused against BPTT by autograd through a loop over x[t] of the same multi-spike neuron."""
    cpu = device == "cpu"
    return PlannedComparison(
        Case("lif", T=250, B=16 if cpu else 128, workload="network", network=network, mode=mode, device=device),
        baseline=BPTT,
        candidate=f"{neuron}{OPTIONS}@fused",
        strong=(LIF, f"{neuron}{OPTIONS}@fused"),
        beside=tuple(f"{n}{OPTIONS}@fused" for n in ("exodus", "slayer")),
        metric=metric,
        claimed=number,
        scaled=cpu,
        met=MET,
        differs="; ".join(
            [
                *["batch 16 for 128"] * cpu,
                "events drawn like SHD's, without the loading of data; warm and synchronised; the readout is a linear map",
            ]
        ),
    )


def backward(neuron: str, device: str, claimed: dict[str, Number]) -> tuple[PlannedComparison, ...]:
    """The backward pass alone, on a CPU of the first network."""
    networks = list(claimed)[: None if device == "cuda" else 1]
    return tuple(timed(neuron, device, n, claimed[n], "backward") for n in networks)
