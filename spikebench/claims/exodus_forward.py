"""The forward pass of EXODUS against a loop on SSC, 26.8x"""

from spikebench.claim import Claim, Number
from spikebench.claims import _bauer

CLAIM = Claim(
    paper=_bauer.PAPER,
    sentence="Forward pass on SSC: 123.3 ms with BPTT, 4.6 ms with EXODUS (mean time of a batch)",
    where="authors' comparison code",
    read="code",
    claimed=Number("26.8x", 123.3 / 4.6),
    setting=_bauer.SETTING,
    known=True,
    hardware=_bauer.HARDWARE,
    timed="time.time() around the forward pass, without waiting for the GPU",
    scaled=(_bauer.timed("exodus", "cpu", "ssc", mode="forward"),),
    full=(_bauer.timed("exodus", "cuda", "ssc", mode="forward"),),
    budget=90.0,
    value=52,
)
