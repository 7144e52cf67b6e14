"""Decoupled LIF of the PRF paper, the backward pass 132.55 times faster on sequential MNIST"""

from spikebench.claim import Claim, Number
from spikebench.claims import _huang

CLAIM = Claim(
    paper=_huang.PAPER,
    sentence="Profile on sequential MNIST: forward 1.77 times, backward 132.55 times faster",
    where="text",
    read="primary",
    claimed=Number("132.55x"),
    setting="sequential MNIST, 784 steps, batch 64, FC(1x10)",
    known=True,
    hardware=_huang.HARDWARE,
    timed="the backward pass in a profile",
    caveat=_huang.CAVEAT,
    scaled=(_huang.timed(784, "cpu", metric="backward"),),
    full=(_huang.timed(784, "cuda", metric="backward"),),
    budget=90.0,
    value=63,
)
