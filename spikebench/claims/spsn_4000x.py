"""SPSN trains 4000 times faster than LIF at 10,000 time steps"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison
from spikebench.claims import _yarga

_LENGTHS = (10000, 250, 1000, 5000)


def _at(T: int, device: str) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=T, B=4, N=128, device=device),
        baseline=_yarga.INDEXED,
        candidate="spsn@fft",
        strong=(_yarga.FUSED, "spsn@fused"),
        steps=_yarga.from_loop_to_fused(device, T),
        slow=(_yarga.COMPILED,),  # compiled in each process anew
        scaled=device == "cpu",
        met="10,000 time steps; the authors' LIF, whose loop takes x[t]; their FFT" if T == 10000 else "both neurons",
        differs="one layer with B = 4, N = 128, sizes of our choice: the abstract gives the number of steps alone",
    )


CLAIM = Claim(
    paper=_yarga.SPSN,
    sentence="For longer input sequences of 10000 time-steps, we show that the proposed approach results in 4000 times "
    "faster training",
    where="abstract",
    read="primary",
    claimed=Number("4000x"),
    setting="10,000 time steps; network, batch, data and baseline code are not known",
    known=False,
    hardware="GPU; the model is not stated in what was read",
    timed="training; whether an epoch, a step or a layer is not known",
    caveat="Neither public repository of the authors has a script for this figure. Their public LIF loops over x[:, t], "
    "whose autograd backward makes a full-size tensor of zeros at each step, so that its time grows as T²; whether "
    "the figure was measured with that loop was not read.",
    scaled=tuple(_at(T, "cpu") for T in _LENGTHS),
    full=tuple(_at(T, "cuda") for T in _LENGTHS),
    budget=1200.0,
    value=100,
)
