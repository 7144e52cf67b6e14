"""An epoch of SSC with EXODUS against BPTT, 10.7x"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing
from spikebench.claims import _bauer


def _at(device: str, batch: int) -> Weighing:
    return Weighing(
        Case("lif", T=250, B=batch, workload="network", network="ssc", device=device),
        baseline=f"{_bauer.BPTT}@eager",
        candidate="exodus[decay=0.99999,width=1.0]@fused",
        fair=(f"{_bauer.BPTT}@fused", "exodus[decay=0.99999,width=1.0]@fused"),
        blocks=3,
        scaled=device == "cpu",
        differs="events drawn like SHD's; a training step without the loading of data",
    )


CLAIM = Claim(
    paper=_bauer.PAPER,
    sentence="Epoch of SSC: 408.3 s with BPTT, 38.3 s with EXODUS",
    where="authors' comparison code",
    read="code",
    claimed=Number("10.7x", 408.3 / 38.3),
    setting=_bauer.SETTING,
    known=True,
    hardware=_bauer.HARDWARE,
    timed="an epoch of training",
    scaled=(_at("cpu", 16),),
    full=(_at("cuda", 128),),
    budget=30.0,
    value=55,
)
