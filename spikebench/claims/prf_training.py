"""Decoupled LIF of the PRF paper trains 6.57 times faster at 1,024 steps, 16.5 times at 32,768"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing
from spikebench.claims import _huang

_CLAIMED = {1024: Number("6.57x"), 16384: Number("9.35x"), 32768: Number("16.5x")}


def _at(T: int, device: str) -> Weighing:
    return Weighing(
        Case("lif", T=T, B=64, N=10, device=device),
        baseline=f"{_huang.LIF}@eager",
        candidate=_huang.DECOUPLED,
        fair=(f"{_huang.LIF}@fused", _huang.DECOUPLED),
        blocks=4,
        claimed=_CLAIMED[T],
        scaled=device == "cpu",
        differs="one layer with B = 64, N = 10, the sizes of their profile",
    )


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
    doubt=_huang.DOUBT,
    scaled=(_at(1024, "cpu"),),
    full=tuple(_at(T, "cuda") for T in _CLAIMED),
    budget=30.0,
    value=56,
)
