"""The verdict of a profile: one sentence, the facts at a glance, and why the subject is slow with what to do about it."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.causes import Reason
from spikebench.analysis.comparison import Comparison
from spikebench.analysis.crossovers import crossovers
from spikebench.analysis.paired import scalings
from spikebench.analysis.select import medians
from spikebench.cases.subject import shown
from spikebench.errors import Problem
from spikebench.plots._chart import View
from spikebench.records import store
from spikebench.records.flags import Flag
from spikebench.records.record import Record

if TYPE_CHECKING:
    from spikebench.experiments.profile import Profile

STEPS = {"train": "a training step", "inference": "an inference", "forward": "a forward pass", "stream": "a step"}
LITTLE = 1.5  # times: a remedy that brings less does not explain the cost alone


def short(subject: str) -> str:
    """A subject as people say it: our kernels as `fused`, and a foreign one without the folders of its file and `@eager`."""
    name, at, backend = subject.partition("@")
    if ":" not in name:
        return shown(subject)
    head, bracket, options = name.partition("[")
    path, _, member = head.rpartition(":")
    own = member if path.endswith(".pickle") else f"{Path(path).name}:{member}"
    return own + bracket + options + (at + backend if backend != "eager" else "")


def samples(r: Record, metric: str) -> list[float]:
    """The samples of a metric in a record."""
    found = r.measurement(metric)
    return found.samples if found else []


def main_case(profile: "Profile") -> list[Record]:
    """The records of the subject at the case that the verdict is about: of those with most pairs the longest, in training."""
    mine = [r for r in profile.records if r.case["subject"] == profile.subject and r.status == "ok"]
    if not mine:
        return []
    counts = {k: min(profile.pairs, sum(r.case_id == k for r in mine)) for k in {r.case_id for r in mine}}
    last = max(mine, key=lambda r: (counts[r.case_id], r.case["T"], r.case["mode"] == "train"))
    return [r for r in mine if r.case_id == last.case_id]


def opponents(profile: "Profile") -> list[Comparison]:
    """The comparisons at the main case that have a ratio, that with the fastest baseline first."""
    main = main_case(profile)
    there = [c for c in profile.comparisons if main and c.ratio and c.case.case_id == main[0].case_id]
    return sorted(there, key=lambda c: c.medians[0])


def shown_records(profile: "Profile") -> list[Record]:
    """What the figure shows: the records of the mode of the verdict, with those of the baselines, under short names."""
    main = main_case(profile)
    same = [r for r in profile.records if main and r.case["mode"] == main[0].case["mode"]]
    return [replace(r, case={**r.case, "subject": short(r.case["subject"])}) for r in same]


def figure(profile: "Profile", width: int) -> list[str]:
    """Time over T as lines of text, one's own in bold where a terminal can; none where only one length was measured."""
    from spikebench.plots import text  # here, so that nobody waits for pandas who measures nothing

    if not (shown := shown_records(profile)):
        return []
    try:
        drawn = list(text("scaling", store.frame(shown, details=True), View(bold=short(profile.subject)), width))
    except Problem:
        return []
    return ["", *"\n".join(drawn).splitlines()]


def slow(profile: "Profile") -> bool:
    """Whether it is not known to be as fast as the fastest baseline at the main case."""
    there = opponents(profile)
    return not there or (there[0].verdict not in ("faster", "same") and there[0].medians[1] > there[0].medians[0])


def shown_reasons(profile: "Profile") -> list[Reason]:
    """The reasons that the page gives: all of a slow subject, and of another one those whose remedy is known to help."""
    return [r for r in profile.why.reasons if slow(profile) or r.helps]


def sentence(profile: "Profile") -> str:
    """What it costs, how long that is beside each baseline, and why."""
    if profile.status != "ok":
        return f"Not measured: {profile.status}. {profile.reason}"
    same = main_case(profile)
    if not same:
        return "No case could be measured."
    case, time = same[0].case, stats.median(medians(same))
    others = " and ".join(_beside(c) for c in reversed(opponents(profile)))
    step = STEPS[case["mode"]]
    sizes = f"T = {case['T']:,} (B = {case['B']}, N = {case['N']})"
    costs = f"{short(profile.subject)} costs {units.show(time, 's')} {step} at {sizes}"
    return f"{costs}{', ' * bool(others)}{others}{because(profile)}."


def because(profile: "Profile") -> str:
    """The first reason as a clause; where its remedy alone explains little, the loop that it stands in is said, too."""
    found = shown_reasons(profile)
    if not found:
        return ""
    first, loop = found[0], next((r for r in found if r.cause.id == "loop"), None)
    alone = first.cause.tried is None or (first.ratio is not None and first.ratio.low >= LITTLE)
    more = f", and {loop.cause.what}" if loop and loop is not first and not alone else ""
    return f", because it {first.cause.what}{more}"


def _beside(c: Comparison) -> str:
    """How long it takes beside a baseline; without a verdict the factor alone, as what it is."""
    r = c.ratio
    if r is None or c.verdict != "inconclusive":
        return f"{_as_long(c)} as {short(c.baseline)}"
    return f"some {units.digits(1 / r.estimate)} times as long as {short(c.baseline)} (n={r.n}, no verdict)"


def _as_long(c: Comparison) -> str:
    """How many times as long it takes as a baseline, or how many times as fast it is where it is known to be faster."""
    r = c.ratio
    assert r is not None
    if c.verdict == "faster":
        times, _, n = units.ratio(r.estimate, r.low, r.high, r.n).partition(", n=")
        return f"{times} (n={n}) as fast"
    ends = (1 / r.high, 1 / r.low) if r.n > 1 else (0.0, math.inf)
    times, _, n = units.ratio(1 / r.estimate, *ends, r.n).partition(", n=")
    return f"{times} (n={n}) as long"


def facts(profile: "Profile") -> list[tuple[str, str]]:
    """What there is to know at a glance, each with its name."""
    same = main_case(profile)
    if not same:
        return [("correctness", correctness(profile))] if profile.checks else []
    rows = [("time", _times(profile)), *[("strongest opponent", _strongest(c)) for c in opponents(profile)[:1]]]
    rows += [("memory", _memory(same)), ("spike rate", _rate(same)), ("scaling with T", _scaling(profile, same[0]))]
    rows += [
        (f"crossover, {c.mode}", f"{c.text}, against {short(c.baseline)}") for c in crossovers(profile.comparisons)
    ]
    rows += [("first call", _first_call(same)), ("correctness", correctness(profile))]
    tries = [r for r in shown_reasons(profile) if r.helps or not r.cause.tried][:1]
    rows += [("what to try", f"{r.cause.remedy}{gained(r, ': ')}") for r in tries]
    return [(name, text) for name, text in rows if text]


def _times(profile: "Profile") -> str:
    """The time at each length that was measured, in the mode of the main case."""
    mode = main_case(profile)[0].case["mode"]
    found: dict[int, list[Record]] = {}
    for r in profile.records:
        if r.case["subject"] == profile.subject and r.case["mode"] == mode and r.status == "ok":
            found.setdefault(r.case["T"], []).append(r)
    each = [f"{units.show(stats.median(medians(rs)), 's')} at T = {T:,}" for T, rs in sorted(found.items())]
    return f"{STEPS[mode]}: {', '.join(each)}"


def _strongest(c: Comparison) -> str:
    return f"{short(c.baseline)}, {units.show(c.medians[0], 's')}: yours {'is' if c.verdict == 'faster' else 'takes'} {_as_long(c)}, {c.verdict}"


def _memory(same: list[Record]) -> str:
    found = [v for r in same for v in samples(r, "peak_memory")]
    if not found:
        return ""
    case, peak = same[0].case, stats.median(found)
    own = case["T"] * case["B"] * case["N"] * {"float64": 8, "float32": 4}.get(case["dtype"], 2)
    return f"{units.show(peak, 'B')} at its peak, {units.digits(peak / own)} times its input"


def _rate(same: list[Record]) -> str:
    found = [v for r in same for v in samples(r, "spike_rate")]
    return f"{units.show(stats.median(found), '1')} per neuron and step" if found else ""


def _scaling(profile: "Profile", main: Record) -> str:
    """The exponents in the main mode, that of the subject first."""
    found = [(of[0].case, s) for of, s in scalings(profile.records)]
    mine = sorted(
        ((c["subject"] != profile.subject, c["subject"], s) for c, s in found if c["mode"] == main.case["mode"]),
        key=lambda row: row[:2],
    )
    each = [
        f"{'' if other else 'time grows as '}T^{s}{' for ' + short(name) if other else ''}" for other, name, s in mine
    ]
    return f"{'; '.join(each)}, from T = {mine[0][2].T[0]:,} to {mine[0][2].T[1]:,}" if each else ""


def _first_call(same: list[Record]) -> str:
    found = [v for r in same for v in samples(r, "compile_time")]
    return f"{units.show(stats.median(found), 's')} longer than the others: compilation and set-up" if found else ""


def correctness(profile: "Profile") -> str:
    """The checks and the gate in a line."""
    failed = [f"{c.check}: {c.detail}" for c in profile.checks if c.passed is False]
    passed = sum(c.passed is True for c in profile.checks)
    ungated = any(Flag.UNGATED in r.flags for r in profile.records if r.case["subject"] == profile.subject)
    said = [f"{passed} of {passed + len(failed)} checks passed"] if profile.checks else []
    said += [f"FAILED {text}" for text in failed]
    said += ["nothing says what it should compute (--like ID compares it)"] if ungated else []
    return "; ".join(said)


@dataclass(frozen=True)
class Said:
    """A reason as the page shows it, and whether its remedy was seen to help."""

    what: str
    evidence: str
    remedy: str
    gain: str
    helps: bool


def reasons(profile: "Profile") -> list[Said]:
    """Why it is slow, in the order in which it counts."""
    return [
        Said(
            what=_sentence(f"it {r.cause.what}"),
            evidence=_sentence(r.cause.evidence),
            remedy=_sentence(r.cause.remedy),
            gain=_sentence(gained(r)),
            helps=r.helps,
        )
        for r in shown_reasons(profile)
    ]


def gained(r: Reason, before: str = "") -> str:
    """What the remedy brings, where it was tried."""
    if r.note:
        return before + r.note
    if r.gain is None:
        return ""
    if r.ratio is None:
        return f"{before}it could not be tried: {r.gain.reason}"
    times = units.ratio(r.ratio.estimate, r.ratio.low, r.ratio.high, r.ratio.n)
    case = r.gain.case
    said = "as fast" if r.helps else "as fast: no gain shown"
    return f"{before}{times}, {said}, tried for {STEPS[case.mode]} at T = {case.T:,}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." * (not text.endswith(".")) if text else ""
