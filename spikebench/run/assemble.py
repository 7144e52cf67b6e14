"""A record, made from what a case's processes gave."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from spikebench.analysis.impossible import impossible
from spikebench.analysis.stability import bimodal
from spikebench.cases.case import Case, Layer
from spikebench.host.monitor import Around
from spikebench.records.flags import Flag
from spikebench.records.gate import GateResult
from spikebench.records.record import RULES, Measurement, Record, Status
from spikebench.run.pooled import pooled
from spikebench.run.protocol import Outcome
from spikebench.run.wanted import INTERLEAVED


def head(run_id: str, case: Case, repeat: int, gate: GateResult | None) -> Record:
    """A record with what is known before anything is measured; its gate says which layer stood for the case."""
    layer = None if isinstance(case, Layer) else case.gated.case_id
    gated = gate and replace(gate, layer=layer)
    return Record(run_id, case.case_id, case.to_json(), repeat=repeat, gate=gated, rules=RULES)


def measured(begun: Record, case: Case, outcomes: list[Outcome], around: Around, facts: dict[str, object]) -> Record:
    """The record of a case whose processes ended so, while so much else went on."""
    bad = next((o for o in outcomes if o.status != "ok"), None)
    measurements = pooled([m for o in outcomes for m in o.result.measurements])
    left = any(o.left for o in outcomes)
    flags = [*begun.flags, *sorted({f for o in outcomes for f in o.result.flags} | ({Flag.COMPANY} if left else set()))]
    flags += [Flag.PRINTED] * any(o.printed > Flag.PRINTED.threshold for o in outcomes)
    flags += [Flag.DISTURBING] * any(o.disturbing for o in outcomes)
    if begun.gate:
        flags += [Flag.UNGATED] * (begun.gate.status == "none")
        flags += [Flag.OFF_RATE] * _off_rate(case, begun.gate.spikes)
    flags += around.flags
    flags += [Flag.BIMODAL] * bimodal(measurements)
    status, reason = _summary(bad, measurements)
    if status == "ok" and (why := impossible(case, measurements)):
        status, reason = "impossible", why
    facts = facts | {"ran_on": ran_on(outcomes)}
    made = replace(begun, status=status, reason=reason, measurements=measurements, environment=facts, flags=flags)
    return made.finite()


def ran_on(outcomes: Sequence[Outcome]) -> list[int]:
    """The cores that the processes of a record were kept to."""
    return sorted({core for outcome in outcomes for core in outcome.cores})


def judged(timed: Outcome, found: Outcome) -> Outcome:
    """The outcome of a process that was timed, after another one has judged what it kept: samples are what the judge read.

    Both are ours: what the judge works and how long it takes is no other load of the machine.
    """
    timed = replace(
        timed,
        cpu_seconds=(timed.cpu_seconds or 0.0) + (found.cpu_seconds or 0.0),
        wall_seconds=timed.wall_seconds + found.wall_seconds,
    )
    if found.status != "ok":
        reason = (
            found.reason if found.status == "wrong" else f"the timed launches could not be compared: {found.reason}"
        )
        return replace(timed, status=found.status, reason=reason, result=replace(timed.result, measurements=[]))
    sampled = any(m.samples for m in timed.result.measurements if m.metric in INTERLEAVED)
    if sampled and len(timed.marks) == 1:  # the last, of a process that has done its job
        reason = "it gives samples, and told the parent of none"
        return replace(timed, status="wrong", reason=reason, result=replace(timed.result, measurements=[]))
    own = {m.metric: m for m in found.result.measurements}
    made = [
        replace(m, samples=own[m.metric].samples or m.samples, detail=m.detail | own[m.metric].detail)
        if m.metric in own
        else m
        for m in timed.result.measurements
    ]
    flags = [*timed.result.flags, *found.result.flags]
    return replace(timed, result=replace(timed.result, measurements=made, flags=flags))


def _off_rate(case: Case, spikes: float | None) -> bool:
    """Whether the gate counted far fewer or far more spikes than the case aims at."""
    rate, far = (spikes or 0.0) / (case.T * case.B * case.N), Flag.OFF_RATE.threshold
    return (
        isinstance(case, Layer)
        and case.mode != "stream"
        and case.bias is None
        and not case.rate / far <= rate <= far * case.rate
    )


def _summary(bad: Outcome | None, measurements: list[Measurement]) -> tuple[Status, str | None]:
    if bad is not None:
        last = bad.log.strip().splitlines()[-1:] if bad.status == "failed" and "no result" in (bad.reason or "") else []
        return cast(Status, bad.status), "; ".join([bad.reason or bad.status, *last])
    for m in measurements:
        if any(not math.isfinite(v) for v in m.samples):
            return "failed", f"{m.metric} gave a sample that is not finite"
        if m.status == "failed" or (m.metric == "latency" and not m.samples):
            return "failed", f"{m.metric}: {m.reason or 'no samples'}"
    return "ok", None
