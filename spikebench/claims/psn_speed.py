"""PSN is faster than LIF for 256 to a million neurons and 2 to 64 steps"""

from spikebench.cases.case import Case
from spikebench.claim import Claim, Number, PlannedComparison


def _at(T: int, N: int, device: str) -> PlannedComparison:
    return PlannedComparison(
        Case("lif", T=T, B=1, N=N, device=device),
        baseline="lif[decay=0.5,reset=hard]@eager",
        candidate="psn@eager",
        strong=("lif[decay=0.5,reset=hard]@fused", "psn@fused"),
        met=f"{T} steps and {N:,} neurons, two of their sizes; forward and backward of one layer",
        differs="whether their LIF was a loop in Python or a CuPy kernel was not read: here it is a loop",
    )


_POINTS = ((64, 4096), (8, 4096), (64, 65536))

CLAIM = Claim(
    paper="Fang, Yu, Zhou, Chen, Chen, Ma, Masquelier and Tian, Parallel Spiking Neurons with High Efficiency and Ability "
    "to Learn Long-term Dependencies, NeurIPS 2023, arXiv 2304.12760",
    sentence="We evaluate the PSN family on simulation speed and temporal/static data classification, and the results show "
    "the overwhelming advantage of the PSN family in efficiency and accuracy",
    where="abstract; the curves of time against sizes give no single number",
    read="primary",
    claimed=Number("more than 1x"),
    setting="256 to 1,048,576 neurons, 2 to 64 steps; the backend of the LIF was not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="forward and backward of a layer, as a curve of the ratio of times",
    caveat="Judged is only whether it is faster: the curves were not read as numbers.",
    scaled=tuple(_at(T, N, "cpu") for T, N in _POINTS),
    full=tuple(_at(T, N, "cuda") for T, N in (*_POINTS, (64, 1048576))),
    budget=90.0,
    value=54,
)
