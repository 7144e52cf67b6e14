"""The parallel neuron without multiplications takes 10.7 microjoule where one with them takes 91.6"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Xue, Fang, Ma, Huang, Zhou, Tian, Masquelier and Zhou, Multiplication-Free Parallelizable Spiking Neurons with Efficient "
    "Spatio-Temporal Dynamics, NeurIPS 2025, arXiv 2501.14490",
    sentence="Estimated energy of inference falls from 91.6 to 10.7 µJ (in short)",
    where="a summary of the paper; its abstract has no number",
    read="secondary",
    claimed=Number("8.6x", 91.6 / 10.7),
    setting="which data, network and neurons the two numbers are of was not read",
    known=False,
    hardware="none; an estimate from counts of operations",
    timed="nothing",
    absent="what is counted on either side was not read, nor the price of a shift; the neuron is here as mul_free_psn, and the metric "
    "synops counts a product with a power of two as a multiplication",
    device="any",
    value=20,
)
