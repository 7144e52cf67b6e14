"""Sparse spiking gradient descent: the backward pass is up to 150 times faster"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

NEURON = "lif[decay=0.8187307530779818,detach_reset=true,strict=true,surrogate=fast_sigmoid,slope=100.0]"
DIFFERS = (
    "a whole training step in place of the backward pass of the second layer; products by PyTorch in place of the authors' kernels, which "
    "gather; events drawn like SHD's, rates of 0.3"
)


def against_bptt(device: str, B: int, metric: str, claimed: Number | None = None) -> PlannedComparison:
    """The scheme against BPTT by a loop, as in the authors' code, and by the fused kernel."""
    return PlannedComparison(
        Case("lif", T=500, B=B, workload="network", network="shd[width=200,layers=2]", device=device),
        baseline=f"{NEURON}@eager+bptt",
        candidate=f"{NEURON}@eager+sparse",
        strong=(f"{NEURON}@fused+bptt", f"{NEURON}@eager+sparse"),
        metric=metric,
        claimed=claimed,
        scaled=True,
        met=f"two layers of 200, 500 steps, their neuron and B = 0.2; batch {B} of 256",
        differs=DIFFERS,
    )


CLAIM = Claim(
    paper="Perez-Nieves and Goodman, Sparse Spiking Gradient Descent, NeurIPS 2021, arXiv 2105.08810",
    sentence="a speedup in the backward pass of up to 150x, and 85% more memory efficient, without losing accuracy",
    where="abstract",
    read="primary",
    claimed=Number("150x"),
    setting="Fashion-MNIST, N-MNIST and SHD, two layers of 200 and more neurons, batch 256, 100 to 500 steps; which one reaches 150x was not read",
    known=False,
    hardware="GPU; GTX 1060 and 1080 Ti by the names of the authors' results",
    timed="the backward pass of the second layer alone, its readout excluded, after warm-up, synchronised (authors' code)",
    caveat="The opponent is a loop of PyTorch whose backward pass is PyTorch's own. Forward is no faster.",
    scaled=(against_bptt("cpu", 16, "latency"),),
    full=(against_bptt("cuda", 256, "latency"),),
    budget=5.0,
    value=14,
)
