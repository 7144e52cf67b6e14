"""The parallel multi-compartment neuron is simulated over 10 times faster than LIF"""

from typing import Literal

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison


def _at(T: int, B: int, device: Literal["cpu", "cuda"]) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=T, B=B, N=128, device=device),
        baseline="lif@indexed",
        candidate="pmsn@fft",
        strong=("lif@fused", "pmsn@fft"),
        steps=("lif@indexed", "lif@eager", "lif@fused"),
        met=f"{T:,} steps, a pixel of Sequential CIFAR10 each; compartments by FFT and the soma by a sum over all steps",
        differs=f"a layer alone with batch {B} and 128 neurons; whether their loop takes x[t] was not read: here it does",
    )


CLAIM = Claim(
    paper="Chen, Wu, Ma, Yan, Wu and Tan, PMSN: A Parallel Multi-compartment Spiking Neuron for Multi-scale Temporal Processing, "
    "arXiv 2408.14917",
    sentence="compared with the commonly used Leaky Integrate-and-Fire neuron, PMSN offers a simulation acceleration of over 10x and "
    "a 30 % improvement in accuracy on Sequential CIFAR10 dataset",
    where="abstract",
    read="primary",
    claimed=Number("10x"),
    setting="Sequential CIFAR10, 1,024 steps; batch, width and the implementation of the LIF were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="simulation",
    scaled=(_at(1024, 4, "cpu"),),
    full=(_at(1024, 64, "cuda"),),
    budget=60.0,
    value=53,
)
