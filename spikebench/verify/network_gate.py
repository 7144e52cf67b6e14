"""The gate of a network compares its output and its weights' gradients with those of the same network on the definition."""

from dataclasses import replace

import torch
from torch import Tensor

from spikebench.backend import refusal
from spikebench.cases.case import Case, with_changes
from spikebench.cases.subject import Subject
from spikebench.records.gate import NetworkGate
from spikebench.verify.reference import relative_error
from spikebench.workloads.layer import Workload
from spikebench.workloads.network import build

BATCH = 4  # items at most: one network is as wrong on few as on many
WIDE, NARROW = 1e-8, 1e-2  # largest error relative to the largest number: in float64, and where a backend lacks float64


def compare(case: Case) -> NetworkGate:
    """Run one step of a network with its neurons on the case's backend and on eager, on the same input and weights; compare.

    Both run in float64. In a lower precision rounding would decide some spikes, and all later layers would differ. The
    neuron alone has passed the gate in the case's own precision. Raises Refused when the backend cannot run the case.
    """
    subject, few = case.parsed, with_changes(case, B=min(case.B, BATCH))
    if subject.foreign or subject.backend == "eager":
        return NetworkGate("passed", "the network runs the definition itself", case.dtype, few.B)
    wide = with_changes(few, dtype="float64")
    tried = wide if refusal(wide) is None else few
    mine, want = (_step(build(c)) for c in (tried, with_changes(tried, subject=str(_defined(subject)))))
    errors = [float(relative_error(a, b)) for a, b in zip(mine, want, strict=True)]
    limit = WIDE if tried is wide else NARROW
    names = ["the output", *["the gradient of a weight"] * (len(errors) - 1)]
    bad = [f"{name} is off by {e:.2g} of its largest" for name, e in zip(names, errors, strict=True) if not e <= limit]
    reason = f"{bad[0]} (limit {limit:g}) from that of the network on eager" if bad else None
    status = "failed" if bad else "passed"
    return NetworkGate(status, reason, tried.dtype, few.B, errors[0], max(errors[1:], default=None))


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
