"""SpikeSampler against LIF spike generation on psMNIST, 1.5 against 6.1 minutes"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing


def _at(device: str, B: int, N: int, fused: str) -> Weighing:
    sampler = f"spike_sampler@{fused}"
    return Weighing(
        Case("lif", T=784, B=B, N=N, device=device),
        baseline="lif@eager",
        candidate=sampler,
        fair=("lif@fused", sampler),
        blocks=4,
        scaled=device == "cpu",
        differs="one layer: the sampler with its state space, against LIF alone",
    )


CLAIM = Claim(
    paper="Bal and Sengupta, P-SpikeSSM: Harnessing Probabilistic Spiking State Space Models for Long-Range Dependency "
    "Tasks, ICLR 2025, arXiv 2406.02923",
    sentence="psMNIST: about 6.1 minutes with LIF spike generation, about 1.5 minutes with the sampler (reported elsewhere)",
    where="a summary of the paper",
    read="secondary",
    claimed=Number("4.0x", 6.1 / 1.5),
    setting="psMNIST, 784 steps, two blocks of 400, state 64, batch 64; what pass is timed is not known",
    known=False,
    hardware="not known",
    timed="a training pass",
    doubt="LIF stands where the sampler does, behind the same state space, whose time is left out of the baseline here.",
    scaled=(_at("cpu", 8, 100, "eager"),),
    full=(_at("cuda", 64, 400, "triton"),),
    budget=45.0,
    value=57,
)
