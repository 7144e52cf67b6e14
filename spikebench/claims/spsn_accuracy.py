"""SPSN is 5.8 points more accurate than LIF on SHD, 77.2 % against 71.4 %"""

from spikebench.claim import Claim, Number
from spikebench.claims import _yarga

CLAIM = Claim(
    paper=_yarga.SPSN,
    sentence="Test accuracy on SHD: SPSN-SB 77.16 %, LIF 71.38 %",
    where="results files in the authors' repository",
    read="code",
    claimed=Number("5.8 points", 77.16 - 71.38),
    setting="SHD, 700-128-128-128-20, 200 epochs, batch 64, Adamax 1e-3, seed 0, without augmentation or regulariser",
    known=True,
    hardware="any",
    timed="nothing; accuracy after the last epoch of one seed",
    caveat="One seed.",
    scaled=(_yarga.trained("accuracy", "cpu"),),
    full=(_yarga.trained("accuracy", "cuda"),),
    device="any",
    budget=240.0,
    value=64,
)
