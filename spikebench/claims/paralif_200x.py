"""ParaLIF trains up to 200 times faster than LIF"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing
from spikebench.claims import _yarga


def _at(device: str, B: int) -> Weighing:
    return Weighing(
        Case("lif", T=1000, B=B, N=128, device=device),
        baseline=_yarga.INDEXED,
        candidate="para_lif@eager",
        fair=(_yarga.FUSED, "para_lif@eager"),
        rungs=(_yarga.INDEXED, _yarga.EAGER, _yarga.FUSED, "para_lif@eager"),
        blocks=3,
        scaled=device == "cpu",
        differs="one layer of 128; ParaLIF as an associative scan, theirs is an FFT",
    )


CLAIM = Claim(
    paper=_yarga.PARALIF,
    sentence="Across a range of neuromorphic datasets, ParaLIF demonstrated speeds up to 200 times faster",
    where="README of the authors' repository",
    read="code",
    claimed=Number("200x"),
    setting="SHD, N-TIDIGITS, N-MNIST, DVS Gesture and others; which of them gives 200 is not known",
    known=False,
    hardware="GPU; the model is not stated in what was read",
    timed="training; what exactly is not known",
    scaled=(_at("cpu", 4),),
    full=(_at("cuda", 64),),
    budget=45.0,
    value=58,
)
