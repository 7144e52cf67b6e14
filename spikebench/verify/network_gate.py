"""The gate of a network compares its output and its weights' gradients with those of the same network on the definition."""

import os
from dataclasses import replace

import torch
from torch import Tensor

from spikebench.backend import refusal
from spikebench.cases.case import Case, NetworkStep, expect, with_changes
from spikebench.cases.subject import Subject
from spikebench.loading.subject import definition
from spikebench.neuron import Neuron
from spikebench.records.gate import NetworkGate
from spikebench.verify import inside
from spikebench.verify.chain import chain
from spikebench.verify.evidence import SERIES, VALUES
from spikebench.verify.judged_network import unexplained
from spikebench.verify.reference import relative_error
from spikebench.workloads.layer import Given, Workload
from spikebench.workloads.network import build
from spikebench.workloads.renewal import Rolled

BATCH = 4  # items at most: one network is as wrong on few as on many
WIDE, NARROW = 1e-8, 1e-2  # largest error relative to the largest number: in float64, and where a backend lacks float64


def compare(case: Case) -> NetworkGate:
    """Run one step of a network with its neurons on the case's backend and on eager, on the same input and weights; compare.

    Both run in float64. In a lower precision rounding would decide some spikes, and all later layers would differ. Then
    the backend's network alone runs at the case's own size and in its own precision, and every layer is compared with
    the definition on what the layer got there: see `inside_of`. Raises Refused when the backend cannot run the case.
    """
    found = _wide(case)
    if found.status != "passed" or case.parsed.foreign or case.parsed.backend == "eager":
        return found
    return inside_of(case, found)


def _wide(case: Case) -> NetworkGate:
    """Compare few items of the whole network with the same network on eager."""
    subject, few = case.parsed, with_changes(case, B=min(case.B, BATCH))
    if subject.foreign or subject.backend == "eager":
        return NetworkGate("passed", "the network runs the definition itself", case.dtype, few.B)
    wide = with_changes(few, dtype="float64", autocast=None)
    tried = wide if refusal(wide) is None else few
    mine, want = (_step(build(c)) for c in (tried, with_changes(tried, subject=str(_defined(subject)))))
    errors = [float(relative_error(a, b)) for a, b in zip(mine, want, strict=True)]
    limit = WIDE if tried is wide else NARROW
    judged = 1 if _jumps(case) else len(errors)
    names = ["the output", *["the gradient of a weight"] * (len(errors) - 1)][:judged]
    bad = [f"{name} is off by {e:.2g} of its largest" for name, e in zip(names, errors, strict=False) if not e <= limit]
    reason = f"{bad[0]} (limit {limit:g}) from that of the network on eager" if bad else None
    status = "failed" if bad else "passed"
    return NetworkGate(status, reason, tried.dtype, few.B, errors[0], max(errors[1:], default=None))


def _jumps(case: Case) -> bool:
    """Whether the rule of a neuron's gradient jumps: a last digit may then change a gradient by all of it.

    Gradients of such are compared layer by layer, where series that stand at a jump are left out.
    """
    torch.manual_seed(case.seed)
    neuron = definition(case.parsed, case.N, case.T)
    return type(neuron).jump is not Neuron.jump or getattr(neuron, "surrogate", None) == "rectangle"


def inside_of(case: Case, found: NetworkGate) -> NetworkGate:
    """Compare the layers of one launch, at its own size and precision, with the definition, and what lies between with torch.

    It is the third launch, on an input that nobody has seen: one that keeps what it computed would give that.
    """
    work = build(case)
    assert work.on is not None
    launches, learns, seed = work.on(work.x), case.mode == "train", int.from_bytes(os.urandom(4), "little")
    launches.whole()
    launches.whole()

    def once() -> Given:
        torch.manual_seed(seed)
        work.call_number(seed)
        return launches.whole()

    Rolled(work.x).write(work.x, os.urandom(8))
    with inside.watching(work.module, cast=getattr(case, "autocast", None)) as seen:
        given = once()
    if wrong := inside.faults(seen, learns):
        return replace(found, status="failed", reason=f"in the network, {wrong}")
    errors, length = chain(work.module, given, seen, once), expect(case, NetworkStep).products
    if wrong := unexplained(case, errors, length):
        return replace(found, status="failed", reason=f"in the network, {wrong}")
    each = max(2, min(SERIES, VALUES // case.T) // len(seen))
    layers = inside.compared(case, [inside.some(s, each) for s in seen if inside.repeatable(s.neuron)])
    counted = {"layers": layers.launches, "series": layers.series, "differing": layers.differing}
    made = replace(found, layer_error=layers.gradient_error, chain_error=max(e for _, e in errors), **counted)
    return replace(made, status="failed", reason=layers.wrong) if layers.wrong else made


def _defined(subject: Subject) -> Subject:
    """The same neuron on eager."""
    return replace(subject, backend="eager", how={})


def _step(work: Workload) -> list[Tensor]:
    """The output of one launch and the gradients of its weights, in float64, on noise that the seed names."""
    torch.manual_seed(work.case.seed)
    work.call_number(0)
    out = [work.launch().detach().double()]
    if work.case.mode == "train":
        out += [torch.zeros_like(p).double() if p.grad is None else p.grad.double() for p in work.parameters]
    return out
