"""Facts of a subject, measured: what it is, how it resets, and how its work and memory grow with T."""

import copy
import math
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from spikebench.loading.subject import definition_of
from spikebench.neuron import SteppedNeuron
from spikebench.verify.specimen import Specimen
from spikebench.workloads.layer import spikes_of

LENGTHS = (64, 512)  # between which scaling is measured
GROWING = ("operations", "graph")


def measure_facts(s: Specimen) -> dict[str, object]:
    """Facts of a subject, measured: whether it is stochastic, causal and coupled, its parameters, and how it resets if that shows."""
    module, x = s.make().eval(), s.input()
    with torch.no_grad():
        draws = [s.spikes(module, x, call) for call in range(4)]
        other = x.clone()
        other[:, :, 0] += 5.0
        alone = s.spikes(module, other)[:, :, 1:] == draws[0][:, :, 1:]
    found: dict[str, object] = {
        "stochastic": not all(torch.equal(d, draws[0]) for d in draws),
        "causal": first_leak(s) is None,
        "coupled": not bool(alone.all()),
        "parameters": sum(p.numel() for p in module.parameters()),
    }
    alone_neuron = definition_of(s.make(n=1))
    if isinstance(alone_neuron, SteppedNeuron) and (reset := measured_reset(alone_neuron)):
        found["reset_kind"] = reset
    return found | scaling_facts(s)


class _Counting(TorchDispatchMode):
    """Counts the operations that torch dispatches."""

    count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))


def scaling_facts(s: Specimen) -> dict[str, str]:
    """How the operations of a forward pass, and the bytes that its graph keeps, grow from T = 64 to 512.

    What our kernels do inside one operation is not seen, so backends say nothing of this; nor does a module of one length.
    """
    if "T" in s.fixed or s.subject.backend != "eager":
        return {}
    counts, kept = zip(*(_work(s, steps) for steps in LENGTHS), strict=True)
    longer = math.log(LENGTHS[1] / LENGTHS[0])
    powers = {
        name: math.log(b / a) / longer if a else 0.0 for name, (a, b) in zip(GROWING, (counts, kept), strict=True)
    }
    return {name: f"T^{power:.1f}" for name, power in powers.items()}


def _work(s: Specimen, steps: int) -> tuple[int, int]:
    """Operations of one forward pass, and bytes of the distinct tensors that its graph keeps."""
    module, x = s.make(steps=steps), s.input(steps).requires_grad_()
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), _Counting() as counting:
        out = s.spikes(module, x)
    del out
    return counting.count, sum(kept.values())


def measured_reset(neuron: SteppedNeuron) -> str | None:
    """How a spike changes the next membrane, from one pulse below and two above threshold; None if it cannot be told."""
    with torch.no_grad():
        pulses = [_after_pulse(neuron, size) for size in _pulses(neuron)]
    (u0, w0, s0), (u1, w1, s1), (u2, w2, s2) = pulses
    if s0 or not (s1 and s2) or not u0:
        return None
    slope = w0 / u0
    gaps = [slope * u1 - w1, slope * u2 - w2]
    scale = 1e-6 * max(abs(u1), abs(u2))
    if max(map(abs, gaps)) < scale:
        return "none"
    if abs(gaps[0] - gaps[1]) < scale:
        return "soft"
    return "hard" if abs(gaps[0] * u2 - gaps[1] * u1) < scale * abs(u2) else None


def _pulses(neuron: SteppedNeuron) -> list[float]:
    """A pulse below threshold and two above, found by doubling."""
    size = 1e-3
    while size < 1e6 and not _after_pulse(neuron, size)[2]:
        size *= 2
    return [size / 8, size * 1.1, size * 1.6]


def _after_pulse(neuron: SteppedNeuron, size: float) -> tuple[float, float, bool]:
    """Membrane at a pulse, membrane one silent step later, and whether the pulse made a spike."""
    x = torch.zeros(2, 1, 1, dtype=torch.float64)
    x[0] = size
    part = copy.deepcopy(neuron)
    u, s = part.membrane(x), spikes_of(part(x))
    return float(u[0, 0, 0]), float(u[1, 0, 0]), bool(s[0, 0, 0] > 0)


def first_leak(s: Specimen) -> tuple[int, int] | None:
    """The first (changed step, earlier step whose spikes changed), or None."""
    module, x = s.make().eval(), s.input()
    with torch.no_grad():
        before = s.spikes(module, x)
        for at in (1, s.T // 3, s.T - 1):
            for size in (50.0, -50.0, 3.0):
                other = x.clone()
                other[at] += size
                changed = (s.spikes(module, other) != before).flatten(1).any(1)
                if bool(changed[:at].any()):
                    return at, int(changed.to(torch.int8).argmax())
    return None
