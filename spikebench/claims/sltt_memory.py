"""SLTT needs 70 % less memory than BPTT"""

from spikebench.claim import Claim, Number
from spikebench.claims._schemes import against_bptt

CLAIM = Claim(
    paper="Meng, Xiao, Yan, Wang, Lin and Luo, Towards Memory- and Time-Efficient Backpropagation for Training Spiking Neural "
    "Networks, ICCV 2023, arXiv 2302.14311",
    sentence="On ImageNet, memory is reduced by 70 % and training time by 50 % against BPTT (in short)",
    where="abstract",
    read="primary",
    claimed=Number("3.3x", 1 / 0.3),
    setting="ImageNet; network and number of steps of this figure were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="nothing; peak memory of training",
    caveat="70 % less is 3.3 times less.",
    scaled=tuple(against_bptt("sltt", T, "cpu", "tensor_memory") for T in (6, 24)),
    full=tuple(against_bptt("sltt", T, "cuda", "tensor_memory") for T in (6, 24)),
    budget=5.0,
    value=19,
)
