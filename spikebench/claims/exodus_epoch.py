"""An epoch of SSC with EXODUS against BPTT, 10.7x"""

from spikebench.claim import Claim, Number
from spikebench.claims import _bauer

CLAIM = Claim(
    paper=_bauer.PAPER,
    sentence="Epoch of SSC: 408.3 s with BPTT, 38.3 s with EXODUS",
    where="authors' comparison code",
    read="code",
    claimed=Number("10.7x", 408.3 / 38.3),
    setting=_bauer.SETTING,
    known=True,
    hardware=_bauer.HARDWARE,
    timed="an epoch of training",
    scaled=(_bauer.timed("exodus", "cpu", "ssc"),),
    full=(_bauer.timed("exodus", "cuda", "ssc"),),
    budget=90.0,
    value=55,
)
