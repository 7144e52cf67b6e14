"""An epoch of SHD with SPSN-GS against LIF in the authors' result files, 37.1x"""

from dataclasses import replace

from spikebench.claim import Number
from spikebench.claims import _yarga
from spikebench.claims.spsn_shd_epoch import CLAIM as _EPOCH

CLAIM = replace(
    _EPOCH,
    sentence="Training time of an epoch of SHD: LIF 252.29 s, SPSN-GS 6.81 s",
    claimed=Number("37.1x", 252.29 / 6.81),
    caveat="The abstract says 10 times.",
    scaled=(_yarga.shd("cpu", candidate="spsn[mode=gs]@fft"),),
    full=(_yarga.shd("cuda", candidate="spsn[mode=gs]@fft"),),
    value=51,
)
