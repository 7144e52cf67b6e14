"""Memory of OTTT is 2 to 3 times less than that of BPTT at 6 steps"""

from spikebench.claim import Claim, Number
from spikebench.claims._schemes import against_bptt

CLAIM = Claim(
    paper="Xiao, Meng, Zhang, He and Lin, Online Training Through Time for Spiking Neural Networks, NeurIPS 2022, arXiv 2210.04195",
    sentence="Memory is constant in the number of steps, and 2 to 3 times less than that of BPTT at 6 steps (in short)",
    where="a summary of the paper",
    read="secondary",
    claimed=Number("2-3x"),
    setting="CIFAR-10, 6 steps, a VGG; decay 0.5, the surrogate of the authors' code",
    known=False,
    hardware="any",
    timed="nothing; peak memory of a training step",
    caveat="That memory does not grow is a claim of its own, ottt-flat: at more steps the ratio is what one likes.",
    scaled=tuple(against_bptt("ottt", T, "cpu", "tensor_memory") for T in (6, 24)),
    full=tuple(against_bptt("ottt", T, "cuda", "tensor_memory") for T in (6, 24, 96)),
    device="any",
    budget=5.0,
    value=20,
)
