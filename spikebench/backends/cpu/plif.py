"""PLIF as one fused pass over time forward and one back: that of LIF, or one with rates of every neuron."""

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from spikebench.backends.cpu import lif
from spikebench.backends.cpu._runtime import two_state
from spikebench.backends.cpu._runtime.threads import refuse, size
from spikebench.neurons.lif import LIF
from spikebench.neurons.plif import PLIF

if TYPE_CHECKING:
    from spikebench.cases.case import Case


def refuses(case: "Case") -> str | None:
    """Why the kernels cannot run a case: they compute float32 and float64 on a CPU."""
    return refuse(case.device, case.dtype)


def moves(case: "Case") -> int:
    """Bytes that must move: x and spikes; for a graph the membranes; in training also g, these again and x's gradient, and x."""
    again = 1 if case.options["decay_input"] or not case.options["shared"] else 0
    return size(case) * {"inference": 2, "forward": 3, "train": 6 + again}[case.mode]


def run(neuron: PLIF, x: Tensor, seed: int | None = None) -> Tensor:
    """Spikes of the shape of x [T, ..., N]."""
    rate = torch.sigmoid(neuron.w)
    keep, hard = 1 - rate, neuron.reset == "hard"
    if neuron.shared:
        return lif.fused(as_lif(neuron, keep), x)
    fed = torch.zeros_like(keep) if hard else -neuron.threshold * keep
    gain = rate if neuron.decay_input else torch.ones_like(rate)
    return two_state.fused(neuron, x, two_state.System(a=keep, c=fed, d=gain), hard)


def as_lif(neuron: PLIF, keep: Tensor) -> LIF:
    """The LIF with the same equation, whose decay is this tensor."""
    same: Any = LIF(
        threshold=float(neuron.threshold),
        reset="hard" if neuron.reset == "hard" else "soft",
        detach_reset=neuron.detach_reset,
        input_scale="1-decay" if neuron.decay_input else "one",
        surrogate=neuron.surrogate,
        slope=neuron.slope,
    )
    same.decay = keep
    return same
