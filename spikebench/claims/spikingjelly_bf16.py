"""SpikingJelly 2.0 trains a network in bfloat16 in 129 ms with its Triton neurons, and in 232 ms with its PyTorch ones"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_LIF = "lif[decay=0.5,input_scale=1-decay,reset=hard,surrogate=sigmoid,slope=4.0]"


def _at(N: int) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=4, B=112, N=N, workload="network", network="onm", device="cuda", autocast="bfloat16"),
        baseline=f"{_LIF}@eager",
        candidate=f"{_LIF}@fused",
        strong=(f"{_LIF}@compiled", f"{_LIF}@fused"),
        steps=(f"{_LIF}@indexed", f"{_LIF}@eager", f"{_LIF}@fused"),
        scaled=True,
        met="torch.autocast in bfloat16, 4 steps, batch 112, forward and backward of a network, without the loading of data",
        differs=f"one Linear of {N:,} and its neurons for SEW-ResNet-18 at 224 x 224, no optimiser step, our loop and kernel in place "
        "of theirs",
    )


CLAIM = Claim(
    paper="SpikingJelly, Add execution-level CUDA Graph support for 2.0, pull request 740, 2026",
    sentence="SEW-ResNet18, batch 112, median of a training step: Torch eager 232.311 ms, Torch compile 144.735 ms, Torch CUDA "
    "graph 231.678 ms, Triton eager 129.069 ms (in short)",
    where="a comment of the pull request, which has the full matrix",
    read="primary",
    claimed=Number("1.80x", 232.311 / 129.069),
    setting="SEW-ResNet-18, 1,000 classes, 224 x 224, 4 steps, batch 112, bfloat16 autocast, PyTorch 2.11.0, Triton 3.6.0",
    known=True,
    hardware="RTX 4090",
    timed="forward, loss, backward, SGD step and reset; 11 steps of warm-up, the median of 20 samples by CUDA events",
    caveat="Convolutions take most of such a step, and no network of this suite has them. So the figure is of the method, not of the network. "
    "It takes a GPU: our kernels of the CPU have no bfloat16.",
    full=(_at(4096),),
    budget=60.0,
    value=51,
)
