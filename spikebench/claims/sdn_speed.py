"""SpikingSSM's predictor against BPTT, 7.5 times at 1,000 steps to 101.2 times at 8,000"""

from typing import Literal

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_LIF, _SDN = "lif[decay=0.125,reset=hard,detach_reset=true,surrogate=triangle,slope=1.0]", "sdn"
_CLAIMED = {  # steps and milliseconds an iteration of BPTT and of SDN, as printed
    1024: Number("7.5x", 1370 / 183),
    2048: Number("15.0x", 2900 / 196),
    8192: Number("101.2x", 25600 / 253),
}


def _at(T: int, B: int, device: Literal["cpu", "cuda"]) -> PlannedComparison:
    cpu = device == "cpu"
    return PlannedComparison(
        Case("lif", T=T, B=B, N=128, device=device),
        baseline=f"{_LIF}@indexed",
        candidate=f"{_SDN}@eager",
        strong=(f"{_LIF}@fused", f"{_SDN}@{'fused' if cpu else 'eager'}"),
        steps=(f"{_LIF}@indexed", f"{_LIF}@eager", f"{_LIF}@fused"),
        claimed=_CLAIMED[T],
        scaled=cpu,
        met=f"{T:,} steps, the LIF with a decay of 0.125 that the predictor stands for, in a loop that takes x[t], as theirs; "
        "forward and backward",
        differs=f"{f'batch {B} for 64; ' * (B != 64)}a layer of 128 neurons alone, without the state-space model around it, which both "
        "of their sides have; a predictor of the same form, trained anew",
    )


CLAIM = Claim(
    paper="Shen et al., SpikingSSMs: Learning Long Sequences with Sparse and Parallel "
    "Spiking State Space Models, AAAI 2025, arXiv 2408.14909",
    sentence="Milliseconds an iteration at 1K, 2K, 4K, 8K steps: BPTT 1370, 2900, 8040, 25600; SDN 183, 196, 200, 253",
    where="table of training times, in a translation of the paper",
    read="primary",
    claimed=_CLAIMED[8192],
    setting="batch 64, 1,000 to 8,000 steps",
    known=True,
    hardware="one GPU; the model was not read",
    timed="a training iteration",
    caveat="The gradient of the one side has no path through time, that of the other has; so part of the factor is another gradient.",
    scaled=(_at(1024, 4, "cpu"), _at(2048, 4, "cpu")),
    full=(_at(8192, 64, "cuda"), _at(1024, 64, "cuda")),
    budget=45.0,
    value=55,
)
