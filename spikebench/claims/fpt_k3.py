"""Fixed-point parallel training needs three iterations, whatever the number of steps"""

from spikebench.claim import Claim

CLAIM = Claim(
    paper="Feng et al., Efficient Parallel Training Methods for Spiking Neural Networks with Constant Time Complexity, "
    "ICML 2025, arXiv 2506.12087",
    sentence="Fixed-point Parallel Training reduces the time complexity from O(T) to O(K), K = 3 (in short)",
    where="abstract and authors' code",
    read="primary",
    claimed=None,
    setting="decay 0.5, soft spikes sharpened in each iteration",
    known=True,
    hardware="any",
    timed="nothing; spikes after K iterations",
    absent="no neuron of this suite is the fixed-point iteration of the paper; newton_lif is another one",
    device="any",
    value=20,
)
