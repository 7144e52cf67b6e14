"""Sparse strategies for spikes are slower than dense convolutions, and adding spikes up before one is 13.8 times faster"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Qin, Collapse or Preserve: Data-Dependent Temporal Aggregation for Spiking Neural Network Acceleration, arXiv 2603.13810",
    sentence="five distinct sparse computation strategies on Apple M3 Max all fail to outperform dense convolution; TAC achieves 13.8x "
    "speedup with +1.6% accuracy on MNIST and +5.4% on Fashion-MNIST (in short)",
    where="abstract",
    read="primary",
    claimed=Number("13.8x"),
    setting="rate-coded images, K frames of spikes added up before one convolution; sizes were not read",
    known=False,
    hardware="Apple M3 Max; 11.0x on a V100",
    timed="inference; what is synchronised was not read",
    absent="no network of this suite has convolutions or products with sparse spikes, and what adds spikes up over time is another network",
    device="any",
    value=20,
)
