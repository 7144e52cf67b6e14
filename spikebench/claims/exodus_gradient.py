"""The gradient of EXODUS equals that of BPTT"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Statement
from spikebench.claims import _bauer

_CASES = tuple(
    Case("exodus[max_spikes=1]", T=256, B=4, N=64, dtype="float64", rate=rate, seed=seed)
    for rate in (0.05, 0.3)
    for seed in range(3)
)

CLAIM = Claim(
    paper=_bauer.PAPER,
    sentence="applies the Implicit Function Theorem (IFT) to calculate the correct gradients (equivalent to those "
    "computed by BPTT)",
    where="abstract",
    read="primary",
    claimed=None,
    setting="any; here one layer in float64 with one spike a step at most, against autograd through the loop of LIF",
    known=True,
    hardware="any",
    timed="nothing; the largest difference of the input gradients over the largest gradient",
    scaled=(
        Statement(_CASES, "gradient", "difference", at_most=1e-9, given="equal_spikes", met="one layer in float64"),
    ),
    device="any",
    budget=30.0,
    value=90,
)
