"""Whether the records of a submission bear out what it states: every rule of docs/rules.md that records alone decide."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from spikebench.analysis import paired
from spikebench.analysis.impossible import impossible
from spikebench.analysis.stability import bimodal
from spikebench.cases.case import Case, Layer
from spikebench.cases.case import case_id as id_of
from spikebench.records.flags import Flag
from spikebench.records.gate import GateResult
from spikebench.records.origin import apart, by_origin
from spikebench.records.record import FEWEST, Record
from spikebench.records.submission import Stated, Submission

Grade = Literal["reported", "replicated"]
DIFFERING = 0.1  # of the series may differ where rounding explains it, as in the gate
CLOSE = 1e-4  # by which a stated ratio may differ from the one that is computed again
COUNTED = 1e-3  # by which the spikes of the gate may differ from those of the spike rate
DISQUALIFYING = frozenset(Flag) - {
    Flag.UNGATED,
    Flag.OFF_RATE,
    Flag.HOST_BOUND,
    *(Flag.SAMPLES, Flag.SPREAD, Flag.DRIFT),
}


@dataclass(frozen=True)
class RuleResult:
    """A rule, whether it is kept (None: nothing could be said), and what was found."""

    rule: str
    passed: bool | None
    detail: str

    @property
    def shown(self) -> str:
        """What became of the rule, as a table shows it."""
        return {True: "kept", False: "BROKEN", None: "not tried"}[self.passed]


def sides(records: Sequence[Record], stated: Stated) -> tuple[list[Record], list[Record]]:
    """The records of the baseline and of the subject that a verdict is about."""
    return tuple([r for r in records if r.case_id == id_] for id_ in (stated.baseline_id, stated.case_id))  # pyright: ignore[reportReturnType]  # two


def judged(submission: Submission, records: Sequence[Record]) -> list[RuleResult]:
    """What every rule gives on the records of a submission, in the order of docs/rules.md."""
    found: list[RuleResult] = []
    for rule, test in RULES.items():
        if rule == "verdicts" and len(by_origin(records)) > 1:
            found.append(RuleResult(rule, None, "nothing is compared across several devices, commits or versions"))
            continue
        wrong = next(test(submission, records), None)
        found.append(RuleResult(rule, wrong is None, wrong or KEPT[rule].format(n=len(records), s=submission)))
    return found


def _named(r: Record) -> str:
    return f"{r.case['subject']} (run {r.run}, block {r.repeat})"


def _ids(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    for r in records:
        if id_of(r.case) != r.case_id:
            yield f"case {r.case_id} has the id {id_of(r.case)}: its case was changed"
        if r.status != "ok":
            yield f"{_named(r)} is {r.status}: {r.reason}"
        if r.rules != submission.rules:
            yield f"{_named(r)} was made under rules {r.rules or 'older than 1.0'}, the submission names {submission.rules}"
    keys = [(r.run, r.case_id, r.repeat) for r in records]
    if twice := next((k for k in keys if keys.count(k) > 1), None):
        yield f"run {twice[0]} has case {twice[1]} twice in block {twice[2]}"


def _subject(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    for stated in submission.verdicts:
        base, mine = sides(records, stated)
        if not base or not mine:
            yield f"no records of case {stated.case_id if base else stated.baseline_id}, which a verdict is about"
        elif (measured := str(mine[0].case["subject"])) != submission.subject:
            yield f"the submission is of {submission.subject}, and its verdict is about {measured}"
        elif paired.point(base[0]) != paired.point(mine[0]):
            yield f"cases {stated.case_id} and {stated.baseline_id} differ in more than their subjects"
    used = {id_ for v in submission.verdicts for id_ in (v.case_id, v.baseline_id)}
    if other := next((r for r in records if r.case_id not in used), None):
        yield f"{_named(other)} is in no verdict"


def _device(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    known = list(by_origin(records))
    for what, count in (("machine", len({o.machine for o in known})), ("GPU", len({o.gpu for o in known}))):
        if count > 1:
            yield f"the records are of {apart(known)}: one {what} is allowed"
    if hosts := {r.environment.get("host") for r in records}:
        if len(hosts) > 1:
            yield f"the records are of {len(hosts)} hosts: {', '.join(map(str, sorted(map(str, hosts))))}"


def _commit(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    known = list(by_origin(records))
    if len(known) > 1:
        yield f"the records are of {apart(known)}"
    for o in known:
        if o.dirty:
            yield f"the records were made with uncommitted changes {o.dirty}"
        if o.commit != submission.commit:
            yield f"the records are of {o.commit or 'no commit'}, the submission names {submission.commit}"


def _gate(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    for r in records:
        foreign = ":" in str(r.case["neuron"])
        if r.gate is None:
            yield f"{_named(r)} has no gate"
        elif foreign and r.gate.status != "none":
            yield f"{_named(r)} says {r.gate.status}, and nothing compares somebody's own file while it is measured"
        elif not foreign and (wrong := forged(r.gate, r)):
            yield f"{_named(r)}: {wrong}"


def forged(gate: GateResult, r: Record) -> str | None:
    """Why the result of a gate is not green, or contradicts itself; None if it is and does not."""
    if gate.status != "passed":
        return f"its gate is {gate.status}: {gate.reason}"
    if r.case["mode"] == "stream":
        return None
    if not gate.probes:
        return "its gate compared nothing, and says passed"
    for p in gate.probes:
        margin = math.inf if p.worst_margin is None else p.worst_margin
        if not p.passed or p.reason:
            return f"its gate says passed, and failed on {p.name}: {p.reason}"
        if margin > 1 or p.differing > DIFFERING * p.series or p.series < 1:
            return f"its gate says passed, and on {p.name} {p.differing} of {p.series} series differ, by up to {margin:.3g}"
    rate, size = r.measurement("spike_rate"), r.case["T"] * r.case["B"] * r.case["N"]
    if rate and rate.samples and gate.spikes is not None and r.case["workload"] == "layer":
        if abs(rate.samples[0] * size - gate.spikes) > COUNTED * size:
            return f"its gate counted {gate.spikes:.0f} spikes, and the timing process {rate.samples[0] * size:.0f}"
    return None


def _bound(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    for r in records:
        case, time = Case.from_json(r.case), r.measurement("latency")
        if why := impossible(case, r.measurements):
            yield f"{_named(r)}: {why}"
        elif time and min(time.samples, default=0.0) <= 0:
            yield f"{_named(r)}: a latency that is not above 0"
        elif isinstance(case, Layer) and case.mode != "stream" and not (time and time.told.get("copied")):
            yield f"{_named(r)} does not say how long a copy of its input takes, so that no bound can be tested"


def _quiet(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    limits = {"other_cpu": Flag.CONTENDED, "stolen_cpu": Flag.STOLEN, "other_gpu_processes": Flag.SHARED_GPU}
    for r in records:
        if bad := sorted(DISQUALIFYING & set(r.flags)):
            yield f"{_named(r)} has the flag {bad[0]}"
        for key, flag in limits.items():
            seen = r.environment.get(key)
            if isinstance(seen, int | float) and seen > flag.threshold:
                yield f"{_named(r)} has {key} {seen:.3g} and no flag {flag}"
        if why := r.environment.get("throttle_reasons"):
            yield f"{_named(r)} has throttle_reasons {', '.join(why)} and no flag {Flag.THROTTLED}"
        if bimodal(r.measurements):
            yield f"{_named(r)} has a median latency above {Flag.BIMODAL.threshold:g} times the least, and no flag {Flag.BIMODAL}"


def _pairs(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    if not submission.verdicts:
        yield "it states no verdict"
    for stated in submission.verdicts:
        n = len(paired.pairs_of(*sides(records, stated)))
        if n < FEWEST or stated.pairs < FEWEST:
            yield f"the verdict on {stated.case_id} rests on {min(n, stated.pairs)} pairs; {FEWEST} are the least"


def _verdicts(submission: Submission, records: Sequence[Record]) -> Iterator[str]:
    for stated, again in zip(submission.verdicts, recomputed(records, submission.verdicts), strict=True):
        if again is None or again.pairs != stated.pairs:
            yield f"case {stated.case_id} states {stated.pairs} pairs, and has {again.pairs if again else 'none'}"
            continue
        said, there = (f"{v.verdict} {v.ratio:.4g} [{v.low:.4g}, {v.high:.4g}]" for v in (stated, again))
        ends = ((stated.ratio, again.ratio), (stated.low, again.low), (stated.high, again.high))
        if stated.verdict != again.verdict or any(not math.isclose(a, b, rel_tol=CLOSE) for a, b in ends):
            yield f"case {stated.case_id} states {said}; its samples give {there}"


def recomputed(records: Sequence[Record], wanted: Sequence[Stated]) -> list[Stated | None]:
    """Each verdict again from the samples, as one of all that the submission states; None where there are no pairs."""
    results = [paired.compared(*sides(records, stated), stated.metric) for stated in wanted]
    return [
        Stated(v.case_id, v.baseline_id, r.verdict, r.ratio.estimate, r.ratio.low, r.ratio.high, r.n, v.metric)
        if r.ratio and r.verdict
        else None
        for v, r in zip(wanted, paired.corrected(results), strict=True)
    ]


def grade(submission: Submission, replications: Mapping[str, Sequence[Record]]) -> tuple[Grade, str]:
    """Whether somebody else's records on other hardware give the same verdicts, and who's or why not. `replications` is by who."""
    mine = {v.case_id: v.verdict for v in submission.verdicts}
    why = "no records of a second machine"
    for who, records in replications.items():
        if who == submission.who:
            why = f"the second records are of {who}, too"
            continue
        theirs = {v.case_id: v.verdict for v in recomputed(records, submission.verdicts) if v and v.pairs >= FEWEST}
        other = next((case for case, verdict in mine.items() if theirs.get(case) != verdict), None)
        if other is None:
            return "replicated", f"by {who}"
        why = f"{who} finds {theirs.get(other, 'nothing')} where {mine[other]} is stated, at case {other}"
    return "reported", why


Test = Callable[[Submission, Sequence[Record]], Iterator[str]]
RULES: Mapping[str, Test] = {
    "records": _ids,
    "subject": _subject,
    "device": _device,
    "commit": _commit,
    "gate": _gate,
    "bound": _bound,
    "quiet": _quiet,
    "pairs": _pairs,
    "verdicts": _verdicts,
}
KEPT = {
    "records": "{n} records, each ok and of the case that its id says",
    "subject": "every verdict is about {s.subject}",
    "device": "one device",
    "commit": "one commit, {s.commit}, and one set of versions",
    "gate": "every gate is green where there is one",
    "bound": "no time is below what memory allows",
    "quiet": "nothing else ran",
    "pairs": "at least five pairs each",
    "verdicts": "the samples give what is stated",
}
