"""Decoupled LIF of the PRF paper trains 6.57 times faster at 1,024 steps, 16.5 times at 32,768"""

from spikebench.claim import Claim, Number
from spikebench.claims import _huang

_CLAIMED = {1024: Number("6.57x"), 16384: Number("9.35x"), 32768: Number("16.5x")}
_MET = "the number of steps"

CLAIM = Claim(
    paper=_huang.PAPER,
    sentence="An iteration at 1,024 steps takes 0.7 s in place of 4.6 s, 6.57 times less; 9.35 at 16,384; 16.50 at 32,768",
    where="text",
    read="primary",
    claimed=_CLAIMED[1024],
    setting="1,024 to 32,768 steps; network and batch of this measurement were not read",
    known=False,
    hardware=_huang.HARDWARE,
    timed="a training iteration",
    caveat=_huang.CAVEAT,
    scaled=(_huang.timed(1024, "cpu", met=_MET),),
    full=tuple(_huang.timed(T, "cuda", claimed=number, met=_MET) for T, number in _CLAIMED.items()),
    budget=90.0,
    value=56,
)
