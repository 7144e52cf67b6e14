"""Cosine between the gradient of every weight matrix and that of backpropagation through time, layer by layer."""

import torch

from spikebench import scheme as schemes
from spikebench.metric import Running, Unavailable
from spikebench.network import Classifier

unit = "1"
process = "memory"


def sample(running: Running) -> list[float]:
    """One cosine for every weight matrix, from the input to the readout, on the same batch, weights and loss.

    The detail has the ratio of the norms, scheme over BPTT, and the names of the weights. A gradient that is 0 has no direction,
    and its cosine counts as 0.
    """
    work = running.workload
    if work.case.parsed.scheme is None or not isinstance(work.module, Classifier):
        raise Unavailable("a network is compared whose training has a scheme: lif+ottt")
    torch.manual_seed(work.case.seed)
    found = schemes.alignment(work.case.parsed, work.module, work.x.detach(), work.g)
    if not found:
        raise Unavailable(f"{work.case.parsed.scheme} has a loss of its own, so that its gradient is none of BPTT's")
    running.detail |= {"weights": [a.weight for a in found], "norm_ratio": [a.ratio for a in found]}
    return [a.cosine for a in found]
