"""PSU simulates SHD 3 to 4 times faster than LIF"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison

_LIF, _PSU = "lif[decay=0.5,threshold=0.3,input_scale=1-decay]", "psu[threshold=0.3,matrices=authors,form=dense]"


def _at(device: str) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=15, B=256, workload="network", network="psu_shd", device=device),
        baseline=f"{_LIF}@indexed",
        candidate=f"{_PSU}@eager",
        strong=(f"{_LIF}@fused", "psu[threshold=0.3,matrices=authors]@fused"),
        steps=tuple(f"{_LIF}@{how}" for how in ("indexed", "eager", "fused")),
        met="15 steps, batch 256, 700-1024-1024-20 with BatchNorm and dropout 0.4, threshold 0.3, time constant 2, one "
        "training step; the two T×T products of their code",
        differs="events drawn like SHD's, without the loading of data; synchronised, theirs is not; their LIF was not read",
    )


CLAIM = Claim(
    paper="Li, Sun, He, Dong, Zhao and Zeng, Parallel Spiking Unit for Efficient Training of Spiking Neural Networks, "
    "IJCNN 2024, arXiv 2402.00449",
    sentence="Simulation on SHD is 3 to 4 times faster than with LIF (reported by a survey)",
    where="a survey; the abstract has no number; the setting is that of main4shd.py in the authors' repository",
    read="secondary",
    claimed=Number("3-4x"),
    setting="SHD in 15 bins, batch 256, 700-1024-1024-20, AdamW 5e-3, mean squared error, threshold 0.3, time constant 2",
    known=True,
    hardware="not known",
    timed="time.time() around forward, backward and optimiser step, without waiting for the GPU",
    caveat="The number was not read in the paper. At 15 steps it is a ratio of launches.",
    scaled=(_at("cpu"),),
    full=(_at("cuda"),),
    budget=120.0,
    value=59,
)
