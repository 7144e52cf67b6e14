"""What the claims of Yarga and Wood share: the LIF of their code, and the steps from its published loop to SPSN."""

from spikebench.case import Case, Mode
from spikebench.claim import Weighing

_OPTIONS = (
    "decay=0.951229424500714,synapse_decay=0.951229424500714,input_scale=1-decay,"
    "reset=hard,detach_reset=true,strict=true,surrogate=fast_sigmoid,slope=100"
)
LIF = f"lif[{_OPTIONS}]"
INDEXED, EAGER, COMPILED, FUSED = (f"{LIF}@{backend}" for backend in ("indexed", "eager", "compiled", "fused"))
RUNGS = (INDEXED, EAGER, COMPILED, FUSED, "spsn@fused")
SPSN = "Yarga and Wood, Accelerating SNN Training with Stochastic Parallelizable Spiking Neurons, IJCNN 2023, arXiv 2306.12666"
PARALIF = (
    "Yarga and Wood, Accelerating Spiking Neural Networks with Parallelizable Leaky Integrate-and-Fire Neurons, "
    "Neuromorphic Computing and Engineering 2025, doi 10.1088/2634-4386/adb7fe"
)


def shd(device: str, mode: Mode = "train") -> Weighing:
    """A step of the authors' SHD network, on a CPU with fewer steps and a smaller batch."""
    steps, batch = (1000, 64) if device == "cuda" else (250, 16)
    return Weighing(
        Case("lif", T=steps, B=batch, workload="network", network="shd", mode=mode, device=device),
        baseline=INDEXED,
        candidate="spsn@fft",
        fair=(FUSED, "spsn@fused"),
        rungs=RUNGS if mode == "train" else (),
        patient=(COMPILED,) if mode == "train" else (),  # compiled in each process anew
        blocks=4,
        scaled=device == "cpu",
        differs="events drawn like SHD's, without the loading of data",
    )


def trained(metric: str, device: str) -> Weighing:
    """LIF and SPSN trained on the same task; its blocks are seeds."""
    task, how = ("shd", "cuda") if device == "cuda" else ("japanese_vowels", "cpu")
    return Weighing(
        Case("lif", 0, 0, 0, workload="training", task=task, device=how),
        baseline=FUSED if task == "shd" else "lif@fused",
        candidate="spsn@fused",
        blocks=3,
        metric=metric,
        more=True,
        scaled=device == "cpu",
        differs="" if task == "shd" else "Japanese Vowels with one hidden layer in place of SHD with three",
    )
