"""Decoupled LIF of the PRF paper, the forward pass 1.77 times faster on sequential MNIST"""

from dataclasses import replace

from spikebench.claim import Number
from spikebench.claims import _huang
from spikebench.claims.prf_backward import CLAIM as _BACKWARD

CLAIM = replace(
    _BACKWARD,
    claimed=Number("1.77x"),
    timed="the forward pass in a profile",
    scaled=(_huang.timed(784, "cpu", "forward"),),
    full=(_huang.timed(784, "cuda", "forward"),),
    value=53,
)
