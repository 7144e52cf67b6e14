"""What the claims of Yarga and Wood share: the LIF of their code, and the steps from its published loop to SPSN."""

from typing import Literal

from spikebench.cases.case import Case, Mode
from spikebench.claim import PlannedComparison

_OPTIONS = (
    "decay=0.951229424500714,synapse_decay=0.951229424500714,input_scale=1-decay,"
    "reset=hard,detach_reset=true,strict=true,surrogate=fast_sigmoid,slope=100"
)
LIF = f"lif[{_OPTIONS}]"
INDEXED, EAGER, GRAPHED, FUSED = (f"{LIF}@{backend}" for backend in ("indexed", "eager", "cudagraph", "fused"))
# 32 steps a chunk: the fastest of 8, 16, 32 and 64 at T = 1000, B = 4, N = 128, training on two CPU cores, one process each
# beside other work: `spikebench run --subject "lif@compiled[chunk=32]" …` tells it of another machine
COMPILED = f"{LIF}@compiled[chunk=32]"
SPSN = "Yarga and Wood, Accelerating SNN Training with Stochastic Parallelizable Spiking Neurons, IJCNN 2023, arXiv 2306.12666"
PARALIF = (
    "Yarga and Wood, Accelerating Spiking Neural Networks with Parallelizable Leaky Integrate-and-Fire Neurons, "
    "Neuromorphic Computing and Engineering 2025, doi 10.1088/2634-4386/adb7fe"
)
LONGEST_GRAPH = 8192  # steps that a CUDA graph is recorded for


def from_loop_to_fused(device: str, T: int) -> tuple[str, ...]:
    """From the published loop to a fused SPSN: a loop that does not index, compiled, on CUDA as a graph, fused."""
    graphed = (GRAPHED,) if device == "cuda" and T <= LONGEST_GRAPH else ()
    return (INDEXED, EAGER, COMPILED, *graphed, FUSED, "spsn@fused")


def shd(device: str, mode: Mode = "train", candidate: str = "spsn@fft") -> PlannedComparison:
    """A step of the authors' SHD network with their output layer, on a CPU with fewer steps and a smaller batch."""
    cpu = device == "cpu"
    steps, batch = (250, 16) if cpu else (1000, 64)
    return PlannedComparison(
        Case("lif", T=steps, B=batch, workload="network", network="shd_spsn", mode=mode, device=device),
        baseline=INDEXED,
        candidate=candidate,
        strong=(FUSED, candidate.replace("@fft", "@fused")),
        steps=from_loop_to_fused(device, steps) if mode == "train" else (),
        beside=("spsn@fft", "spsn[mode=gs]@fft", "spsn[mode=gs]@fused") if mode == "train" else (),
        slow=(COMPILED,) if mode == "train" else (),  # compiled in each process anew
        scaled=cpu,
        met="network of four layers, the last of which does not fire; the authors' LIF, which takes x[t]; their FFT",
        differs="; ".join(
            [
                *["250 steps for 1,000, batch 16 for 64"] * cpu,
                "events drawn like SHD's, without the loading of data; time is the first axis, theirs is the second; the "
                "FFT is long enough, theirs wraps around",
            ]
        ),
    )


def trained(metric: str, device: Literal["cpu", "cuda"]) -> PlannedComparison:
    """The authors' LIF and SPSN trained on the same task, both fused; the blocks are seeds."""
    task, how = ("shd", "cuda") if device == "cuda" else ("japanese_vowels", "cpu")
    return PlannedComparison(
        Case("lif", 0, 0, 0, workload="training", task=task, device=how),
        baseline=FUSED,
        candidate="spsn@fused",
        metric=metric,
        more=metric != "accuracy",
        points=metric == "accuracy",
        scaled=device == "cpu",
        met="the neurons with their constants; " + ("SHD" if task == "shd" else "nothing of the task"),
        differs="" if task == "shd" else "Japanese Vowels with one hidden layer in place of SHD with three",
    )
