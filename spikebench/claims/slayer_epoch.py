"""An epoch of SSC with SLAYER against BPTT, 6.0x"""

from spikebench.claim import Claim, Number
from spikebench.claims import _bauer

CLAIM = Claim(
    paper=_bauer.PAPER,
    sentence="Epoch of SSC: 408.3 s with BPTT, 68.2 s with SLAYER",
    where="authors' comparison code",
    read="code",
    claimed=Number("6.0x", 408.3 / 68.2),
    setting=_bauer.SETTING,
    known=True,
    hardware=_bauer.HARDWARE,
    timed="an epoch of training",
    scaled=(_bauer.timed("slayer", "cpu", "ssc"),),
    full=(_bauer.timed("slayer", "cuda", "ssc"),),
    budget=90.0,
    value=50,
)
