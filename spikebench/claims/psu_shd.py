"""PSU simulates SHD 3 to 4 times faster than LIF"""

from spikebench.case import Case
from spikebench.claim import Claim, Number, Weighing


def _at(device: str, T: int, B: int) -> Weighing:
    return Weighing(
        Case("lif", T=T, B=B, workload="network", network="shd", device=device),
        baseline="lif[decay=0.5]@eager",
        candidate="psu[form=dense]@eager",
        fair=("lif[decay=0.5]@fused", "psu@fused"),
        blocks=3,
        scaled=device == "cpu",
        differs="the SHD network of other authors, events drawn like SHD's",
    )


CLAIM = Claim(
    paper="Li, Sun, He, Dong, Zhao and Zeng, Parallel Spiking Unit for Efficient Training of Spiking Neural Networks, "
    "IJCNN 2024, arXiv 2402.00449",
    sentence="Simulation on SHD is 3 to 4 times faster than with LIF (reported by a survey)",
    where="a survey; the abstract has no number",
    read="secondary",
    claimed=Number("3-4x"),
    setting="SHD; steps, batch and network are not known",
    known=False,
    hardware="not known",
    timed="simulation; whether training or inference is not known",
    doubt="The number was not read in the paper.",
    scaled=(_at("cpu", 250, 16),),
    full=(_at("cuda", 1000, 64),),
    budget=45.0,
    value=59,
)
