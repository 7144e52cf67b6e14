"""What claims about training schemes share: a stack whose activations outweigh its weights, as a convolution's do."""

from spikebench.cases.case import Case
from spikebench.claim import Number, PlannedComparison

NEURON = "lif[decay=0.5,surrogate=sigmoid,slope=4.0,detach_reset=true]"
DIFFERS = "three Linear layers of 512 in place of their convolutions, and events drawn like SHD's"


def against_bptt(
    scheme: str,
    T: int,
    device: str,
    metric: str,
    claimed: Number | None = None,
    neuron: str = NEURON,
    met: str = "",
    differs: str = DIFFERS,
) -> PlannedComparison:
    """A scheme against backpropagation through time, by a loop as in the paper, and by the fused kernel as the strong opponent."""
    return PlannedComparison(
        Case("lif", T=T, B=256, workload="network", network="shd[width=512]", device=device),
        baseline=f"{neuron}@eager+bptt",
        candidate=f"{neuron}@eager+{scheme}",
        strong=(f"{neuron}@fused+bptt", f"{neuron}@eager+{scheme}"),
        metric=metric,
        claimed=claimed,
        scaled=True,
        met=met or f"{T} steps, the loss of every step, one training step with its optimiser",
        differs=differs,
    )
