"""SNN2ANN needs 0.27 of the memory of BPTT, with 0.625 of its steps"""

from dataclasses import replace

from spikebench.claim import Number
from spikebench.claims import snn2ann_time
from spikebench.claims.snn2ann_time import STEPS, same_steps

_CLAIMED = Number("2.3x", STEPS / 0.27)

CLAIM = replace(
    snn2ann_time.CLAIM,
    claimed=_CLAIMED,
    timed="nothing; peak memory of training",
    caveat="Memory of BPTT grows with the steps, so that 0.27x holds 0.625x of fewer steps. Judged is what is left, 0.43x or 2.3 times less.",
    scaled=(same_steps("cpu", "tensor_memory", _CLAIMED),),
    full=(same_steps("cuda", "tensor_memory", _CLAIMED),),
    value=16,
)
