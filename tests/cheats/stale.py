"""Returns spikes of an earlier call: those it once computed for this storage, or those of the call before."""

from typing import Literal

from torch import Tensor

from spikebench.backends import eager
from spikebench.neuron import Neuron


def run(
    neuron: Neuron, x: Tensor, seed: int | None = None, *, kind: Literal["storage", "previous"] = "storage"
) -> Tensor:
    out = eager.run(neuron, x, seed)
    kept: dict[int, Tensor] = vars(neuron).setdefault("kept", {})
    key = x.data_ptr() if kind == "storage" else 0
    stale = kept.setdefault(key, out.detach())
    if kind == "previous":
        kept[key] = out.detach()
    return out + (stale - out).detach()
