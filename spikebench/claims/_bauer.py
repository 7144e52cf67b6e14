"""What the claims about EXODUS and SLAYER share: the networks of their comparison, in the authors' timing."""

from collections.abc import Iterator

from spikebench.case import Case
from spikebench.claim import Number, Weighing

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
BPTT = "lif[decay=0.99999,surrogate=exponential,slope=1.0]"
DIFFERS = "events drawn like SHD's; training step less forward pass, so that the optimiser's step counts too"


def backward(neuron: str, device: str, claimed: dict[str, Number]) -> Iterator[Weighing]:
    """The backward pass of each network, on a CPU of the first, against BPTT through a loop of the same neuron."""
    batch = 128 if device == "cuda" else 16
    for network, number in claimed.items() if device == "cuda" else list(claimed.items())[:1]:
        yield Weighing(
            Case("lif", T=250, B=batch, workload="network", network=network, device=device),
            baseline=f"{BPTT}@eager",
            candidate=f"{neuron}[decay=0.99999,width=1.0]@fused",
            fair=(f"{BPTT}@fused", f"{neuron}[decay=0.99999,width=1.0]@fused"),
            beside=tuple(f"{n}[decay=0.99999,width=1.0]@fused" for n in ("exodus", "slayer")),
            blocks=3,
            backward=True,
            claimed=number,
            scaled=device == "cpu",
            differs=DIFFERS,
        )
