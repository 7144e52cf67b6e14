"""The page of a profile: what a neuron costs, its scaling exponents, and from which T on it beats its baselines."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from spikebench import units
from spikebench.analysis.comparison import Comparison
from spikebench.analysis.paired import Scaling, scalings
from spikebench.records.flags import Flag
from spikebench.records.record import Record
from spikebench.records.schema import CaseJson
from spikebench.report import profile_verdict as verdict
from spikebench.report.profile_verdict import samples, short

if TYPE_CHECKING:
    from spikebench.experiments.profile import Profile

REFUSING = ("run", "shape", "determinism", "repeats", "causality", "state", "facts", "definition")


def page(profile: "Profile") -> str:
    """The one-page verdict in Markdown."""
    head = [f"# {short(profile.subject)}", f"**{verdict.sentence(profile)}**", _glance(profile), _why(profile)]
    return "\n\n".join(filter(None, [*head, details(profile)])) + "\n"


def details(profile: "Profile") -> str:
    """All that the verdict rests on, in Markdown: every comparison, how the subject is called, its checks, the machine."""
    parts = [_times(profile), left_out(profile), _scaling(profile), _memory(profile)] if profile.comparisons else []
    parts += [_called(profile), _checks(profile), _trace(profile), _rests_on(profile)]
    return "\n\n".join(filter(None, parts))


def _glance(profile: "Profile") -> str:
    rows = verdict.facts(profile)
    return table(("what", "found"), rows) if rows else ""


def _why(profile: "Profile") -> str:
    found = verdict.reasons(profile)
    said = [
        f"{k}. **{r.what}** {r.evidence} {r.remedy}{f' {r.gain}' if r.gain else ''}" for k, r in enumerate(found, 1)
    ]
    note = profile.why.note
    if not said and note:
        return f"## Why it is slow\n\nThat was not found out: {note}."
    return "## Why it is slow\n\n" + "\n".join(said) if said else ""


def _called(profile: "Profile") -> str:
    if not profile.way:
        return ""
    lines = [f"- made as `{profile.way.made}`", *(f"- {note}" for note in profile.way.notes)]
    if profile.kept is None:
        lines.append(f"- as a subject elsewhere: `{profile.subject}`")
    return "\n".join(["## How it is called", "", *lines])


def _checks(profile: "Profile") -> str:
    if not profile.checks:
        return ""
    marks = {True: "passed", False: "**failed**", None: "skipped"}
    rows = [(c.check, marks[c.passed], c.detail) for c in profile.checks]
    return "## What it computes\n\n" + table(("check", "result", "found"), rows)


def _times(profile: "Profile") -> str:
    rows = [time_row(c) for c in profile.comparisons]
    return "## All comparisons\n\n" + table(TIME_COLUMNS, rows)


TIME_COLUMNS = ("mode", "T", "baseline", "its time", "time", "speed-up", "verdict")


def time_row(c: Comparison) -> tuple[str, ...]:
    """A comparison as text, in the order of TIME_COLUMNS."""
    ratio = units.ratio(c.ratio.estimate, c.ratio.low, c.ratio.high, c.ratio.n) if c.ratio else "—"
    times = [units.show(v, "s") for v in c.medians]
    return (c.case.mode, str(c.case.T), short(c.baseline), *times, ratio, c.verdict or _reason(c.status, c.reason))


def _reason(status: str, reason: str | None) -> str:
    """Why there is no time, and what would help."""
    return f"{status}: {reason}" + ("; raise --timeout and --budget" if status == "timeout" else "")


def left_out(profile: "Profile") -> str:
    """What the budget did not reach, and the budget that would; nothing if every comparison has all its pairs."""
    missing, budget = profile.left_out, profile.settings.budget
    if not missing or budget is None:
        return ""
    more = sum(m.seconds for m in missing)
    enough = 10 * math.ceil((max(budget, profile.seconds) + more / profile.share) / 10)
    found: dict[str, list[str]] = {}
    for m in missing:
        where = f"{m.point.mode} at T = {m.point.T}"
        for baseline, pairs in m.pairs.items():
            found.setdefault(where, []).append(f"{pairs} of {profile.pairs} pairs with {short(baseline)}")
    text = "; ".join(f"{where} ({', '.join(counts)})" for where, counts in found.items())
    return f"The budget of {budget:g} s left out: {text}. At most some {more:.0f} s more would add them: `--budget {enough}s`."


def scaling_rows(profile: "Profile") -> list[tuple[str, ...]]:
    """Scaling exponents as text."""
    return [(short(of["subject"]), of["mode"], f"{s.T[0]}…{s.T[1]}", str(s)) for of, s in exponents(profile.records)]


def exponents(records: Iterable[Record]) -> list[tuple[CaseJson, Scaling]]:
    """The case and scaling exponent of every subject and mode between its two longest lengths."""
    return [(of[0].case, s) for of, s in scalings(records)]


SCALING_COLUMNS = ("subject", "mode", "between T", "time grows as T to the power")


def _scaling(profile: "Profile") -> str:
    rows = scaling_rows(profile)
    return "## Scaling with T\n\n" + table(SCALING_COLUMNS, rows) if rows else ""


def _memory(profile: "Profile") -> str:
    """A row for each subject at each length, the own one first."""
    seen: dict[tuple[Any, ...], tuple[str, ...]] = {}
    modes = list(dict.fromkeys(r.case["mode"] for r in profile.records))
    for r in profile.records:
        rate, memory = samples(r, "spike_rate"), samples(r, "peak_memory")
        if rate and memory:
            found = r.measurement("spike_rate")
            active = found.told.get("active") if found else None
            sparsity = "—" if active is None else f"{1 - active:.1%}"
            cells = (units.show(memory[0], "B"), units.show(rate[0], "1"), sparsity)
            other = r.case["subject"] != profile.subject
            place = (modes.index(r.case["mode"]), r.case["T"], other, r.case["subject"])
            seen[place] = (short(r.case["subject"]), r.case["mode"], str(r.case["T"]), *cells)
    rows = [seen[place] for place in sorted(seen)]
    return "## Memory and spikes\n\n" + table(("subject", "mode", "T", "peak", "rate", "sparsity"), rows)


def _trace(profile: "Profile") -> str:
    if not profile.trace:
        return ""
    case, found = profile.trace.case, profile.trace.trace
    head = f"## Where the time goes\n\nOne launch, {case.mode}, T={case.T}: "
    if found is None:
        return head + str(profile.trace.reason)
    cells = [(r.operator, str(r.calls), f"{r.share:.1%}") for r in found.rows]
    said = f"{units.digits(found.calls_per_step)} operator calls per step; trace in {found.file}.\n\n"
    return head + said + table(("operator", "calls", "share of the time"), cells)


def _rests_on(profile: "Profile") -> str:
    lines: list[str] = []
    ok = [r for r in profile.records if r.status == "ok"]
    if ok:
        e, flags = ok[0].environment, sorted({f for r in ok for f in r.flags})
        versions = ", ".join(f"{k} {v}" for k, v in e.get("versions", {}).items())
        lines.append(f"- {e.get('cpu')}, {e.get('threads')} threads; Python {e.get('python')}; {versions}")
        pairs = sorted({c.ratio.n for c in profile.comparisons if c.ratio}) or [0]
        many = " to ".join(dict.fromkeys(map(str, (pairs[0], pairs[-1]))))
        lines.append(f"- {many} pairs of fresh processes in random order; ratios within pairs, 95 % intervals")
        lines.append(f"- everything took {profile.seconds:.0f} s")
        lines.append(f"- flags: {', '.join(flags) or 'none'}")
        if Flag.UNGATED in flags:
            lines.append(
                "- ungated: no definition was compared with it, so these figures support no claim (`--like ID`)"
            )
    others = {
        f"- {short(r.case['subject'])} T={r.case['T']} {r.case['mode']}: {_reason(r.status, r.reason)}"
        for r in profile.records
        if r.status != "ok"
    }
    return "\n".join(["## What it rests on", "", *lines, *sorted(others)]) if lines or others else ""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[v.replace("|", "\\|") for v in row] for row in [columns, *rows]]
    return "\n".join(["| " + " | ".join(row) + " |" for row in [cells[0], ["---"] * len(columns), *cells[1:]]])
