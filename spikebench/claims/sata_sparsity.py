"""Sparsity makes the computation of SATA 5.58 times more efficient"""

from spikebench.claim import Claim, Number
from spikebench.claims._sata import spiking

_DENSE, _SPARSE, _PUBLIC = (spiking(False), spiking(True), spiking(True, public=True))

CLAIM = Claim(
    paper="Yin, Moitra, Bhattacharjee, Kim and Panda, SATA: Sparsity-Aware Training Accelerator for Spiking Neural Networks, IEEE TCAD "
    "2022, arXiv 2204.05422",
    sentence="By utilizing the sparsity, SATA increases its computation energy efficiency by 5.58x compared to the one without using sparsity.",
    where="abstract",
    read="primary",
    claimed=Number("5.58x"),
    setting="a training step; network, steps and sparsity of this figure were not read. The authors' code has VGG5, 8 steps, 90 % of spikes "
    "and 70 % of gradients absent",
    known=False,
    hardware="none; an estimate from counts of operations",
    timed="nothing",
    absent=f"an estimate, of which nothing is measured. The authors' table for VGG5 and their prices give {_DENSE.computation / _SPARSE.computation:.2f}x "
    f"for the computation, and {_DENSE.total / _SPARSE.total:.2f}x with memory, which is {_SPARSE.memory / _SPARSE.total:.0%} of the energy and no "
    f"sparser. As their code stands, its linear layer overwrites the convolutions and forgets the sparsity: {1e6 * _PUBLIC.computation:.1f} in place of "
    f"{1e6 * _SPARSE.computation:.1f} µJ, and no gain at all",
    device="any",
    value=13,
)
