"""SPSN trains SHD 10 times faster than LIF"""

from spikebench.claim import Claim, Number
from spikebench.claims import _yarga

CLAIM = Claim(
    paper=_yarga.SPSN,
    sentence="outperforming LIF networks while training 10 times faster",
    where="abstract",
    read="primary",
    claimed=Number("10x"),
    setting="SHD at 1 ms, three hidden layers of 128, batch 64, Adamax, in the authors' code; what the abstract's number "
    "counts is not known",
    known=False,
    hardware="GPU; the model is not stated in what was read",
    timed="training; whether by epoch or to an accuracy is not known",
    caveat="The authors' own result files give 252.29 s and 5.51 s an epoch, 45.8x: the claim spsn-shd-epoch.",
    scaled=(_yarga.shd("cpu"),),
    full=(_yarga.shd("cuda"),),
    budget=150.0,
    value=95,
)
