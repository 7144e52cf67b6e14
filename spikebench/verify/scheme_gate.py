"""The gate of a scheme compares the gradient of every weight with the scheme's definition: explicit sums over all steps."""

from dataclasses import replace

import torch

from spikebench import registry
from spikebench import scheme as schemes
from spikebench.backend import refusal
from spikebench.cases.case import NetworkStep, with_changes
from spikebench.records.gate import NetworkGate
from spikebench.verify.chain import Error
from spikebench.verify.event_gate import Differences, differences
from spikebench.verify.judged_network import allowed
from spikebench.verify.network_gate import BATCH, NARROW, WIDE, inside_of
from spikebench.verify.reference import relative_error
from spikebench.workloads.layer import Given, Workload
from spikebench.workloads.network import build

FEWER = 1  # items of which finite differences are taken


def compare(case: NetworkStep) -> NetworkGate:
    """Run one step of a scheme and its definition on few items, with the same weights, input and draws; compare.

    Both run in float64. A scheme that owns the loop over time fires the very spikes of its definition in any precision, and is
    compared in that of the case, too. Where a backend computes whole sequences its network is compared layer by layer,
    at the case's own size. Raises Refused when the case cannot run.
    """
    few, alone = with_changes(case, B=min(case.B, BATCH)), schemes.owns_time(case.parsed)
    wide = with_changes(few, dtype="float64")
    tried = wide if refusal(wide) is None else few
    found = _found(tried, WIDE if tried is wide else NARROW)
    if found.status != "passed" or case.parsed.foreign:
        return found
    if schemes.takes_events(case.parsed) and (said := _exact(with_changes(wide, B=min(case.B, FEWER)))) is not None:
        found = replace(found, status="failed" if said.wrong else "passed", reason=said.wrong or str(said))
    if alone and found.status == "passed":
        own = _found(few, allowed(case, few.T * few.B))
        return found if own.status == "passed" else own
    if alone:
        return found
    return found if case.parsed.backend == "eager" else inside_of(case, found)


def _exact(case: NetworkStep) -> Differences | None:
    """What finite differences say of a scheme of spike times, on fewer items yet; None where its gradient is not meant to be exact."""
    if not registry.scheme_facts(str(case.parsed.scheme)).get("EXACT"):
        return None
    work = build(case)
    assert work.on is not None
    stack = schemes.plain(work.module, "a scheme")
    found = work.on(work.x).whole()[1][1:]
    named = dict(zip(schemes.learned(stack), found, strict=True))
    return differences(case.parsed, stack, work.x, work.g, {p: g for p, g in named.items() if g is not None})


def _found(case: NetworkStep, limit: float) -> NetworkGate:
    """What one step says: the error of the loss, and the largest of a gradient."""
    work = build(case)
    torch.manual_seed(case.seed)
    work.call_number(0)
    assert work.on is not None
    given = work.on(work.x).whole()
    torch.manual_seed(case.seed)
    work.call_number(0)
    errors = against(work, given, defined(work, work.x))
    bad = [f"{name} is off by {e:.2g} of its largest" for name, e in errors if not e <= limit]
    reason = f"{bad[0]} (limit {limit:g}) from that of the definition of {case.parsed.scheme}" if bad else None
    largest = max((e for _, e in errors[1:]), default=None)
    return NetworkGate("failed" if bad else "passed", reason, case.dtype, case.B, errors[0][1], largest)


def defined(work: Workload, x: torch.Tensor) -> Given:
    """What the definition gives on an input, as a launch gives it."""
    stack = schemes.plain(work.module, "a scheme")
    loss, found = schemes.definition(work.case.parsed, stack, x.detach(), work.g)
    return loss.reshape(1), (None, *(found[p] for p in schemes.learned(stack)))


def against(work: Workload, given: Given, want: Given) -> list[Error]:
    """How far a launch is from its definition: the loss and every gradient, relative to the largest number of each."""
    names = [f"the gradient of {name}" for name, p in work.module.named_parameters() if p.requires_grad]
    pairs = [("the loss", given[0], want[0]), *zip(names, given[1][1:], want[1][1:], strict=True)]
    return [
        (name, float(relative_error(a.double(), b.double()))) for name, a, b in pairs if a is not None and b is not None
    ]
