"""Computes the series that it foresees will be compared, and leaves the others silent: those of the case's seed, or all but few."""

from typing import Literal

import torch
from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron
from spikebench.verify.reference import Selection


def run(
    neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Literal["seed", "rare", "edges", "quarter"] = "seed"
) -> Tensor:
    """`rare` leaves out one series in fifty, `edges` all but the first and the last 300, `quarter` a quarter of the neurons."""
    out = eager.run(neuron, x, seed)
    count = x.shape[1] * x.shape[2]
    kept = torch.ones(count, dtype=torch.bool)
    if kind == "seed" and count > 514:
        kept[:] = False
        kept[Selection.of(x, neuron, 0).index] = True
    if kind == "rare":
        kept[7::50] = False
    if kind == "edges":
        kept[300:-300] = False
    if kind == "quarter":
        kept.view(x.shape[1:])[:, : x.shape[2] // 4] = False
    return out * kept.view(x.shape[1:])
