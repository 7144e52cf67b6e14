"""Decoupled LIF of the PRF paper, the backward pass 132.55 times faster on sequential MNIST"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing
from spikebench.claims import _huang


def _at(device: str) -> Weighing:
    return Weighing(
        Case("lif", T=784, B=64, N=10, device=device),
        baseline=f"{_huang.LIF}@indexed",
        candidate=_huang.DECOUPLED,
        fair=(f"{_huang.LIF}@fused", _huang.DECOUPLED),
        rungs=tuple(f"{_huang.LIF}@{how}" for how in ("indexed", "eager", "fused")),
        blocks=4,
        backward=True,
        differs="the neuron without its linear layer; whether their loop indexes x[t] was not read",
    )


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
    doubt=_huang.DOUBT,
    scaled=(_at("cpu"),),
    full=(_at("cuda"),),
    budget=50.0,
    value=63,
)
