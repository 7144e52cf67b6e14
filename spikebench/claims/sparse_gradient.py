"""Sparse spiking gradient descent: the backward pass is up to 150 times faster and needs 85 % less memory"""

from spikebench.claim import Claim, Number

CLAIM = Claim(
    paper="Perez-Nieves and Goodman, Sparse Spiking Gradient Descent, NeurIPS 2021, arXiv 2105.08810",
    sentence="The backward pass is up to 150 times faster and needs 85 % less memory (in short)",
    where="a summary of the paper",
    read="secondary",
    claimed=Number("150x"),
    setting="the networks of the figure were not read",
    known=False,
    hardware="GPU; the model was not read",
    timed="the backward pass",
    absent="which neurons count as active, and what of the past the gradient keeps, was not read; it takes kernels for "
    "gathered neurons to be faster at all",
    value=14,
)
