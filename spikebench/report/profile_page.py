"""The page of a profile: what a neuron costs, its scaling exponents, and from which T on it beats its baselines."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.comparison import Comparison
from spikebench.analysis.paired import Scaling, scalings
from spikebench.analysis.select import medians
from spikebench.records.flags import Flag
from spikebench.records.record import FEWEST, Record
from spikebench.records.schema import CaseJson

if TYPE_CHECKING:
    from spikebench.experiments.profile import Profile

REFUSING = ("run", "shape", "determinism", "causality", "state", "facts", "definition")


@dataclass(frozen=True)
class Crossover:
    """From which T on (or up to which) a subject beats a baseline in a mode: estimate, and 95 % interval where it has one."""

    baseline: str
    mode: str
    text: str
    T: float | None = None
    low: float | None = None
    high: float | None = None


def crossovers(rows: Iterable[Comparison]) -> list[Crossover]:
    """One per baseline and mode that was compared at least at one length."""
    groups: dict[tuple[str, str], list[Comparison]] = {}
    for row in rows:
        if row.ratio is not None:
            groups.setdefault((row.baseline, row.case.mode), []).append(row)
    return [_crossover(b, m, sorted(found, key=lambda r: r.case.T)) for (b, m), found in groups.items()]


def _crossover(baseline: str, mode: str, rows: list[Comparison]) -> Crossover:
    """A crossover is claimed where one length is faster and another slower, each by its interval; else each length speaks for itself."""
    verdicts = {row.verdict for row in rows}
    if not {"faster", "slower"} <= verdicts:
        return Crossover(baseline, mode, _by_length(rows))
    ratios = [row.ratio for row in rows if row.ratio is not None]
    lengths = [row.case.T for row in rows]
    middle, low, high = ([math.log(max(v, 1e-9)) for v in side] for side in zip(*map(_ends, ratios), strict=True))
    rising = middle[-1] > middle[0]
    T = _root(lengths, middle)
    ends = [_root(lengths, high if rising else low), _root(lengths, low if rising else high)]
    interval = f"[{_at(ends[0], f'below {lengths[0]}')}, {_at(ends[1], f'above {lengths[-1]}')}]"
    word = "from" if rising else "up to"
    return Crossover(baseline, mode, f"faster {word} T ≈ {_at(T, '')} {interval}", T, ends[0], ends[1])


def _by_length(rows: list[Comparison]) -> str:
    """What the verdicts say at which lengths."""
    said: dict[str, list[str]] = {}
    for row in rows:
        said.setdefault(_word(row), []).append(str(row.case.T))
    if len(said) == 1:
        return f"{next(iter(said))} at every T measured"
    return "; ".join(f"{word} at T = {', '.join(at)}" for word, at in said.items())


def _word(row: Comparison) -> str:
    """A verdict in words; where there is none, on which side of 1 the interval lies all the same."""
    r = row.ratio
    if row.verdict != "inconclusive" or r is None or r.n < 2 or r.low <= 1 <= r.high:
        return {"same": "as fast", "inconclusive": "not told apart"}.get(str(row.verdict), str(row.verdict))
    why = "pairs are too few" if r.n < FEWEST else "the interval is too wide"
    return f"{'slower' if r.high < 1 else 'faster'} but {why} for a verdict"


def _ends(ratio: stats.Ratio) -> tuple[float, float, float]:
    return ratio.estimate, ratio.low, ratio.high


def _root(lengths: list[int], logs: list[float]) -> float | None:
    """Where the last change of sign lies, straight between two lengths on logarithmic axes."""
    for k in range(len(logs) - 1, 0, -1):
        if (logs[k] > 0) != (logs[k - 1] > 0):
            share = logs[k - 1] / (logs[k - 1] - logs[k])
            return float(lengths[k - 1] * (lengths[k] / lengths[k - 1]) ** share)
    return None


def _at(T: float | None, otherwise: str) -> str:
    return otherwise if T is None else f"{float(f'{T:.2g}'):g}"


def short(subject: str) -> str:
    """A subject as people say it: without the folders of its file, and without `@eager` if it is foreign."""
    name, at, backend = subject.partition("@")
    if ":" not in name:
        return subject
    head, bracket, options = name.partition("[")
    path, _, member = head.rpartition(":")
    shown = member if path.endswith(".pickle") else f"{Path(path).name}:{member}"
    return shown + bracket + options + (at + backend if backend != "eager" else "")


def page(profile: "Profile") -> str:
    """The one-page verdict in Markdown."""
    parts = [f"# {short(profile.subject)}", headline(profile), _called(profile), _checks(profile)]
    if profile.comparisons:
        parts += [_times(profile), left_out(profile), _scaling(profile), _memory(profile)]
    parts += [_trace(profile), _rests_on(profile)]
    return "\n\n".join(filter(None, parts)) + "\n"


def headline(profile: "Profile") -> str:
    """The verdict in a few sentences."""
    if profile.status != "ok":
        return f"**Not measured: {profile.status}.** {profile.reason}"
    sentences = [f"**{_cost(profile)}**"] if profile.records else []
    for c in crossovers(profile.comparisons):
        sentences.append(f"Against {c.baseline} in {c.mode}: {c.text}.")
    if failed := [c.check for c in profile.checks if c.passed is False]:
        sentences.append(f"What is wrong with it: {', '.join(failed)} (below).")
    return " ".join(sentences)


def _cost(profile: "Profile") -> str:
    mine = [r for r in profile.records if r.case["subject"] == profile.subject and r.status == "ok"]
    if not mine:
        return "No case could be measured."
    counts = {k: min(profile.pairs, sum(r.case_id == k for r in mine)) for k in {r.case_id for r in mine}}
    last = max(mine, key=lambda r: (counts[r.case_id], r.case["T"], r.case["mode"] == "train"))
    same = [r for r in mine if r.case_id == last.case_id]
    time = stats.median(medians(same))
    case = last.case
    step = {"train": "A training step", "inference": "An inference", "forward": "A forward pass"}[case["mode"]]
    spikes = stats.median([v for r in same for v in _samples(r, "spike_rate")])
    memory = stats.median([v for r in same for v in _samples(r, "peak_memory")])
    return (
        f"{step} at T={case['T']}, B={case['B']}, N={case['N']} takes {units.show(time, 's')}"
        f"{_relative(profile, last.case_id)}. It needs {units.show(memory, 'B')} at its peak, and gives "
        f"{units.show(spikes, '1')} spikes per neuron and step."
    )


def _relative(profile: "Profile", case_id: str) -> str:
    """How long a case takes beside each baseline: the inverse of the speed-up, as a clause."""
    said: list[str] = []
    for c in profile.comparisons:
        if c.ratio is not None and c.case.case_id == case_id:
            r = c.ratio
            ends = (1 / r.high, 1 / r.low) if r.n > 1 else (0.0, math.inf)
            times, _, n = units.ratio(1 / r.estimate, *ends, r.n).partition(", n=")
            said.append(f"{times} (n={n}) as long as {c.baseline}")
    return f", {' and '.join(said)}" if said else ""


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
    return "## What it computes\n\n" + table(("check", "", "found"), rows)


def _times(profile: "Profile") -> str:
    rows = [time_row(c) for c in profile.comparisons]
    return "## Time\n\n" + table(TIME_COLUMNS, rows)


TIME_COLUMNS = ("mode", "T", "baseline", "its time", "time", "speed-up", "verdict")


def time_row(c: Comparison) -> tuple[str, ...]:
    """A comparison as text, in the order of TIME_COLUMNS."""
    ratio = units.ratio(c.ratio.estimate, c.ratio.low, c.ratio.high, c.ratio.n) if c.ratio else "—"
    times = [units.show(v, "s") for v in c.medians]
    return (c.case.mode, str(c.case.T), c.baseline, *times, ratio, c.verdict or _why(c.status, c.reason))


def _why(status: str, reason: str | None) -> str:
    """Why there is no time, and what would help."""
    return f"{status}: {reason}" + ("; raise --timeout and --budget" if status == "timeout" else "")


def left_out(profile: "Profile") -> str:
    """What the budget did not reach, and the budget that would; nothing if every comparison has all its pairs."""
    missing, budget = profile.left_out, profile.settings.budget
    if not missing or budget is None:
        return ""
    more = sum(m.seconds for m in missing)
    enough = 10 * math.ceil((max(budget, profile.seconds) + more) / 10)
    found: dict[str, list[str]] = {}
    for m in missing:
        where = f"{m.point.mode} at T = {m.point.T}"
        for baseline, pairs in m.pairs.items():
            found.setdefault(where, []).append(f"{pairs} of {profile.pairs} pairs with {baseline}")
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
    return "## Scaling with T\n\n" + table(SCALING_COLUMNS, scaling_rows(profile))


def _memory(profile: "Profile") -> str:
    seen: dict[tuple[Any, ...], tuple[str, ...]] = {}
    for r in profile.records:
        rate, memory = _samples(r, "spike_rate"), _samples(r, "peak_memory")
        if rate and memory:
            found = r.measurement("spike_rate")
            active = found.detail.get("active") if found else None
            sparsity = "—" if active is None else f"{1 - active:.1%}"
            cells = (units.show(memory[0], "B"), units.show(rate[0], "1"), sparsity)
            seen[r.case_id,] = (short(r.case["subject"]), r.case["mode"], str(r.case["T"]), *cells)
    return "## Memory and spikes\n\n" + table(("subject", "mode", "T", "peak", "rate", "sparsity"), list(seen.values()))


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
        f"- {short(r.case['subject'])} T={r.case['T']} {r.case['mode']}: {_why(r.status, r.reason)}"
        for r in profile.records
        if r.status != "ok"
    }
    return "\n".join(["## What it rests on", "", *lines, *sorted(others)]) if lines or others else ""


def _samples(r: Record, metric: str) -> list[float]:
    found = r.measurement(metric)
    return found.samples if found else []


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    cells = [[v.replace("|", "\\|") for v in row] for row in [columns, *rows]]
    return "\n".join(["| " + " | ".join(row) + " |" for row in [cells[0], ["---"] * len(columns), *cells[1:]]])
