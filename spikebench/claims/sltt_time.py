"""SLTT trains in half the time of BPTT"""

from dataclasses import replace

from spikebench.claim import Number
from spikebench.claims import sltt_memory
from spikebench.claims._schemes import against_bptt

CLAIM = replace(
    sltt_memory.CLAIM,
    claimed=Number("2x"),
    timed="training, in mixed precision in the authors' code",
    caveat="50 % less is twice as fast.",
    scaled=tuple(against_bptt("sltt", T, "cpu", "latency") for T in (6, 24)),
    full=tuple(against_bptt("sltt", T, "cuda", "latency") for T in (6, 24)),
    value=18,
)
