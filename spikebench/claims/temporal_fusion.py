"""LIF of all time steps in one kernel against libraries that take one step after the other, 5 to 40 times faster"""

from typing import Literal

from spikebench.cases.case import Case
from spikebench.cases.sweeps import COMMON
from spikebench.claim import Claim, Number, PlannedComparison

_LIF = f"lif[{','.join(f'{k}={v}' for k, v in COMMON.items())}]"


def _against(library: str, device: Literal["cpu", "cuda"]) -> PlannedComparison:
    cpu = device == "cpu"
    T = 1000 if cpu else 32  # on a CPU the sizes of the sweep `libraries`
    return PlannedComparison(
        Case("lif", T=T, B=16 if cpu else 100, N=128 if cpu else 65536, device=device),
        baseline=f"{_LIF}@{library}",
        candidate=f"{_LIF}@fused",
        strong=(f"{_LIF}@compiled", f"{_LIF}@fused"),
        scaled=cpu,
        met=f"LIF of all steps in one kernel, forward and backward, against {library}'s loop over steps",
        differs="a layer alone in place of Spiking-ResNets, our kernel for theirs"
        + "; 1,000 steps for 32, batch 16 and 128 neurons for batch 100 and feature maps" * cpu,
    )


CLAIM = Claim(
    paper="Li, Li, Sun, Leng and Cheng, Towards Scalable GPU-Accelerated SNN Training via Temporal Fusion, ICANN 2024, arXiv 2408.00280",
    sentence="Benchmarked against various existing SNN libraries/implementations, our method achieved accelerations ranging "
    "from 5x to 40x on NVIDIA A100 GPUs",
    where="abstract; sizes from single_gpu_test.py of the authors' repository",
    read="primary",
    claimed=Number("5-40x"),
    setting="Spiking-ResNet-18, 34 and 50 on MNIST, CIFAR-10 and N-MNIST, 32 steps, batch 100, and on DvsGesture, batch 10; which "
    "library gives which factor was not read",
    known=False,
    hardware="A100",
    timed="training epochs, synchronised at the end of each, loading of data included",
    caveat="The repository holds the kernels as source and as a binary for one version of Python; they were not run.",
    scaled=tuple(_against(library, "cpu") for library in ("spikingjelly", "snntorch", "norse")),
    full=tuple(_against(library, "cuda") for library in ("spikingjelly", "snntorch", "norse")),
    budget=90.0,
    value=52,
)
