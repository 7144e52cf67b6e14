"""SpikeSampler against LIF spike generation on psMNIST, 1.5 against 6.1 minutes"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_SAMPLER = "gelu_sampler[ssm=dplr,state=64]@fft"


def _at(device: str, B: int, width: int) -> PlannedComparison:
    network = "psmnist" if width == 400 else f"psmnist[width={width}]"
    return PlannedComparison(
        Case("lif", T=784, B=B, workload="network", network=network, device=device),
        baseline="lif@indexed",
        candidate=_SAMPLER,
        strong=("lif@fused", _SAMPLER),
        steps=("lif@indexed", "lif@eager", "lif@fused"),
        scaled=device == "cpu",
        met="784 steps, two blocks, state 64; LIF in the sampler's place, behind the same state space",
        differs="; ".join(
            [
                *[f"batch {B} for 64, width {width} for 400"] * (width != 400),
                "a training step for a pass over psMNIST, on grey values drawn like MNIST's; which LIF stood there was not read",
            ]
        ),
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
    scaled=(_at("cpu", 4, 64),),
    full=(_at("cuda", 64, 400),),
    budget=120.0,
    value=57,
)
