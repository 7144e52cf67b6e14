"""SNN2ANN needs 0.27 of the memory of BPTT, with 0.625 of its steps"""

from spikebench.claim import Claim, Number
from spikebench.claims.snn2ann_time import PAPER, SETTING, STEPS, same_steps

_CLAIMED = Number("2.3x", STEPS / 0.27)

CLAIM = Claim(
    paper=PAPER,
    sentence="0.377x training time, 0.27x GPU memory, 0.33x spikes and 0.625x steps (in short)",
    where="abstract",
    read="primary",
    claimed=_CLAIMED,
    setting=SETTING,
    known=False,
    hardware="GPU; the model was not read",
    timed="nothing; peak memory of training",
    caveat="Memory of BPTT grows with the steps, so that 0.27x holds 0.625x of fewer steps. Judged is what is left, 0.43x or 2.3 times less.",
    scaled=(same_steps("cpu", "peak_memory", _CLAIMED),),
    full=(same_steps("cuda", "peak_memory", _CLAIMED),),
    budget=5.0,
    value=16,
)
