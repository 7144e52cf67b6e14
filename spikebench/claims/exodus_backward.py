"""The backward pass of EXODUS against BPTT, 17.3x on SSC and 9.1x on SHD"""

from spikebench.claim import Claim, Number
from spikebench.claims import _bauer

_CLAIMED = {"ssc": Number("17.3x", 166.1 / 9.6), "hsd": Number("9.1x", 238.6 / 26.2)}

CLAIM = Claim(
    paper=_bauer.PAPER,
    sentence="Backward pass on SSC: 166.1 ms with BPTT, 9.6 ms with EXODUS (mean time of a batch)",
    where="times_new.csv and notebooks of the authors' comparison code",
    read="code",
    claimed=_CLAIMED["ssc"],
    setting=_bauer.SETTING,
    known=True,
    hardware=_bauer.HARDWARE,
    timed=_bauer.TIMED,
    scaled=_bauer.backward("exodus", "cpu", _CLAIMED),
    full=_bauer.backward("exodus", "cuda", _CLAIMED),
    budget=120.0,
    value=80,
)
