"""SLTT trains in half the time of BPTT"""

from spikebench.claim import Claim, Number
from spikebench.claims._schemes import against_bptt
from spikebench.claims.sltt_memory import PAPER

CLAIM = Claim(
    paper=PAPER,
    sentence="On ImageNet, memory is reduced by 70 % and training time by 50 % against BPTT (in short)",
    where="abstract",
    read="primary",
    claimed=Number("2x"),
    setting="ImageNet; network and number of steps of this figure were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="training, in mixed precision in the authors' code",
    caveat="50 % less is twice as fast.",
    scaled=tuple(against_bptt("sltt", T, "cpu", "latency") for T in (6, 24)),
    full=tuple(against_bptt("sltt", T, "cuda", "latency") for T in (6, 24)),
    budget=5.0,
    value=18,
)
