"""The backward pass of SLAYER against BPTT, 14.6x on SSC and 11.2x on SHD"""

from spikebench.claim import Claim, Number
from spikebench.claims import _bauer

_CLAIMED = {"ssc": Number("14.6x", 166.1 / 11.4), "hsd": Number("11.2x", 238.6 / 21.3)}

CLAIM = Claim(
    paper=_bauer.PAPER,
    sentence="Backward pass on SSC: 166.1 ms with BPTT, 11.4 ms with SLAYER (mean time of a batch)",
    where="times_new.csv and notebooks of the authors' comparison code",
    read="code",
    claimed=_CLAIMED["ssc"],
    setting=_bauer.SETTING,
    known=True,
    hardware=_bauer.HARDWARE,
    timed=_bauer.TIMED,
    caveat="SLAYER stands in the form that these authors compare, with the kernels of a leaky integrator.",
    scaled=_bauer.backward("slayer", "cpu", _CLAIMED),
    full=_bauer.backward("slayer", "cuda", _CLAIMED),
    budget=120.0,
    value=60,
)
