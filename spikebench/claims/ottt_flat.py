"""Memory of OTTT does not grow with the number of steps"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Statement
from spikebench.claims._schemes import NEURON

CLAIM = Claim(
    paper="Xiao, Meng, Zhang, He and Lin, Online Training Through Time for Spiking Neural Networks, NeurIPS 2022, arXiv 2210.04195",
    sentence="Training memory is constant, whatever the number of steps (in short)",
    where="abstract",
    read="primary",
    claimed=None,
    setting="any; here 8 to 2,048 steps of three layers of 128, where a doubling of the steps may add 2 % at most",
    known=True,
    hardware="any",
    timed="nothing; tensors of a training step beyond parameters and input, the upper end of the interval of what a doubling adds",
    caveat="The input itself grows with the steps, and is left out.",
    scaled=(
        Statement(
            tuple(
                Case(f"{NEURON}+ottt", T=2048, B=16, workload="network", network="shd", seed=seed) for seed in range(5)
            ),
            "training_memory",
            "most",
            at_most=0.02,
            met="8 to 2,048 steps",
        ),
    ),
    device="any",
    budget=5.0,
    value=22,
)
