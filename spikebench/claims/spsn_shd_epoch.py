"""An epoch of SHD with SPSN against LIF in the authors' result files, 45.8x"""

from spikebench.claim import Claim, Number
from spikebench.claims import _yarga

CLAIM = Claim(
    paper=_yarga.SPSN,
    sentence="Training time of an epoch of SHD: LIF 252.29 s, SPSN-SB 5.51 s",
    where="results files in the authors' repository",
    read="code",
    claimed=Number("45.8x", 252.29 / 5.51),
    setting="SHD at 1 ms, 700-128-128-128-20, batch 64, Adamax, without augmentation or regulariser",
    known=True,
    hardware="GPU; the model is not stated",
    timed="an epoch: loading of data, forward, backward and optimiser step, synchronised once a batch",
    caveat="The abstract says 10 times. SPSN-GS has 37.1x: the claim spsn-gs-epoch.",
    scaled=(_yarga.shd("cpu"),),
    full=(_yarga.shd("cuda"),),
    budget=150.0,
    value=94,
)
