"""ParaLIF's forward pass on a CPU at 5,000 steps takes 0.003 to 0.005 s, LIF's 0.20 s"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing
from spikebench.claims import _yarga

_FAST = "decay=0.36787944117144233,synapse_decay=0.36787944117144233,input_scale=1-decay,reset=hard,strict=true"
_PARALLEL = "para_lif[mem_decay=0.36787944117144233,syn_decay=0.36787944117144233]@eager"


def _at(T: int) -> Weighing:
    return Weighing(
        Case("lif", T=T, B=1, N=128, mode="forward"),
        baseline=f"lif[{_FAST}]@indexed",
        candidate=_PARALLEL,
        fair=(f"lif[{_FAST}]@fused", _PARALLEL),
        differs="ParaLIF as an associative scan, theirs is an FFT; the neuron without its linear layer",
    )


CLAIM = Claim(
    paper=_yarga.PARALIF,
    sentence="Running time at 5,000 steps on a CPU: LIF 0.20 s, ParaLIF 0.003 to 0.005 s (read off their plot)",
    where="plot of the running-time script in the authors' repository",
    read="code",
    claimed=Number("40x", 0.20 / 0.005),
    setting="forward pass, batch 1, 128 neurons, 10 to 5,000 steps, mode T, time constants of 1 ms at 1 ms steps",
    known=True,
    hardware="CPU; the model is not stated",
    timed="time.time() around the forward pass, mean of 5, first call included",
    doubt="Numbers read off a plot; 40x is the least that they allow.",
    scaled=(_at(5000), _at(1000)),
    full=(_at(5000), _at(1000)),
    device="cpu",
    budget=40.0,
    value=72,
)
