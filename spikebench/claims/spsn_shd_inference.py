"""Inference on SHD with SPSN against LIF in the authors' result files, 13.7x"""

from spikebench.claim import Claim, Number
from spikebench.claims import _yarga

CLAIM = Claim(
    paper=_yarga.SPSN,
    sentence="Test set of SHD: LIF 17.19 s, SPSN-SB 1.25 s",
    where="results files in the authors' repository",
    read="code",
    claimed=Number("13.7x", 17.19 / 1.25),
    setting="SHD's 2,264 test recordings at 1 ms, 700-128-128-128-20",
    known=True,
    hardware="GPU; the model is not stated",
    timed="the pass over the test set with the loading of data",
    scaled=(_yarga.shd("cpu", "inference"),),
    full=(_yarga.shd("cuda", "inference"),),
    budget=90.0,
    value=75,
)
