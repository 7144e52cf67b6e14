"""P-SpikeSSM takes 70 times less energy by its count of operations"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Bal and Sengupta, P-SpikeSSM: Harnessing Probabilistic Spiking State Space Models for Long-Range Dependency "
    "Tasks, ICLR 2025, arXiv 2406.02923",
    sentence="More than 70 times less energy, with 4.6 pJ a multiplication and 0.9 pJ an addition (reported elsewhere)",
    where="a summary of the paper",
    read="secondary",
    claimed=Number("70x"),
    setting="operations counted, about 90 % of spikes absent",
    known=False,
    hardware="none; 45 nm constants",
    timed="nothing; operations are counted",
    caveat="A published review of the paper asks whether the size of the state is missing from the count.",
    absent="what is counted on either side was not read; the metric synops counts the operations of a network",
    device="any",
    value=15,
)
