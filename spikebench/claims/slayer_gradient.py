"""SLAYER's gradient leaves out the reset, and is not that of BPTT"""

from dataclasses import replace

from spikebench.cases.case import Case
from spikebench.claim import Statement
from spikebench.claims import _bauer
from spikebench.claims.exodus_gradient import CLAIM as _EXODUS

_CASES = tuple(
    Case("slayer[max_spikes=1]", T=256, B=4, N=64, dtype="float64", rate=rate, seed=seed)
    for rate in (0.05, 0.3)
    for seed in range(3)
)

CLAIM = replace(
    _EXODUS,
    paper=_bauer.PAPER,
    sentence="SLAYER, however, does not take into account the neuron reset mechanism while computing the gradients",
    setting="any; here one layer in float64, against the gradient of EXODUS for the same spikes",
    caveat="SLAYER stands in the form that these authors compare, with the kernels of a leaky integrator.",
    scaled=(
        Statement(_CASES, "gradient", "difference", at_least=1e-2, given="equal_spikes", met="one layer in float64"),
    ),
    value=70,
)
