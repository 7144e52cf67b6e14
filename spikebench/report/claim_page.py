"""A claim's page as Markdown: what was read, what was measured, the strong baseline, the factors, caveats."""

import re
from collections.abc import Iterator

from spikebench import units
from spikebench.analysis.assessment import Assessment, Result
from spikebench.cases.case import NetworkStep, Training
from spikebench.cases.subject import shown
from spikebench.claim import Claim

READ = {"primary": "read in the paper or its abstract", "code": "read in the authors' code or result files"}
FITTED = ("subject", "a", "b", "bT/a", "scaling exponent")  # columns that a table of scaling always has
READ |= {"secondary": "read in another paper or a summary, not in the paper itself"}


def page(f: Assessment, c: Claim) -> str:
    """The page of an assessment; it ends with a newline."""
    return "\n".join([*_head(f, c), *_results(f), *_scaling(f), *_subjects(f), ""]).rstrip() + "\n"


def _head(f: Assessment, c: Claim) -> Iterator[str]:
    """What was measured, where, and what differs; then what was published."""
    yield f"# {f.claim.replace('_', '-')}"
    yield ""
    yield " ".join(_measured(f))
    yield ""
    yield f"**Verdict: {f.verdict}.** {_sentence(f.reason)}".rstrip()
    yield ""
    if f.head and (f.head.planned.met or f.head.planned.differs):
        yield f"- As published: {f.head.planned.met or 'nothing of the setting'}"
        yield f"- Not as published: {f.head.planned.differs or 'nothing that is known'}"
        yield ""
    yield "## Published"
    yield ""
    yield f"> {c.sentence}"
    yield ""
    yield f"{c.paper}; {c.where} ({READ[c.read]})."
    yield ""
    facts = {"Figure": c.figure, "Claimed": c.text, "Setting": c.setting, "Hardware": c.hardware, "Timed": c.timed}
    for name, value in (facts | {"Caveat": c.caveat}).items():
        if value:
            yield f"- {name}: {value}"
    yield ""


def _measured(f: Assessment) -> Iterator[str]:
    """The first lines: the figure with its sides, the machine, and what stands beside."""
    where = f" on {f.origin or f.machine}" if f.machine else ""
    if f.measured is None:
        yield "Nothing was measured" + where + "."
    elif f.head is None:
        yield f"Measured{where}: **{f.shown}**."
    else:
        w = f.head.planned
        yield f"Measured{where}: **{f.shown}** for {_code(w.candidate)} against {_code(w.baseline)}; {_case(f.head)}."
        yield f"Published: {f.claimed}."
    if f.strong and f.head:
        pair = f"{_code(f.strong.subject)} against {_code(f.strong.baseline)}"
        yield f"Beside it, {f.head.planned.strong_name}: **{f.strong.shown}** ({pair})."


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." * bool(text)


def _results(f: Assessment) -> Iterator[str]:
    if not f.results:
        return
    yield "## Measured"
    yield ""
    yield "| case | opponent | candidate | published | measured | beside |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for r in f.results:
        w = r.planned
        claimed = w.claimed.text if w.claimed else f.claimed
        strong = f"{r.strong.shown} ({w.strong_name})" if r.strong else "—"
        yield f"| {' | '.join([_case(r), _code(w.baseline), _code(w.candidate), claimed, r.shown, strong])} |"
    yield ""
    yield from _settings(f)
    for r in f.results:
        yield from _factors(r)


def _settings(f: Assessment) -> Iterator[str]:
    """What of the published setting the cases have, where that is not what the first lines say. As cells it would be too wide."""
    found: dict[tuple[str, str], list[str]] = {}
    for r in f.results:
        found.setdefault((r.planned.met, r.planned.differs), []).append(_case(r))
    if f.head:
        found.pop((f.head.planned.met, f.head.planned.differs), None)
    for (met, differs), cases in found.items():
        if met or differs:
            where = "; ".join(dict.fromkeys(cases))
            yield f"- {where}. As published: {met or 'nothing of the setting'}. Not as published: {differs or 'nothing that is known'}."
    yield ""


def _factors(r: Result) -> Iterator[str]:
    if not r.factors:
        return
    yield f"### Factors at {_case(r)}"
    yield ""
    yield "| from | to | factor | time before | time after |"
    yield "| --- | --- | ---: | ---: | ---: |"
    for step in r.factors:
        times = [units.show(r.medians[s], "s") for s in (step.baseline, step.subject)]
        yield f"| {_code(step.baseline)} | {_code(step.subject)} | {step.shown} | {times[0]} | {times[1]} |"
    yield ""


def _scaling(f: Assessment) -> Iterator[str]:
    if not (rows := [row.cells for row in f.scaling]):
        return
    yield "## Scaling with T: t = a·T + b·T²"
    yield ""
    same = [k for k in rows[0] if k not in FITTED and len({str(row.get(k)) for row in rows}) == 1]
    if same:
        yield f"In every row: {', '.join(f'{k} {rows[0][k]}' for k in same)}."
        yield ""
    columns = [k for k in rows[0] if k not in same]
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(_code(str(row[k])) if k == 'subject' else str(row[k]) for k in columns)} |"
    yield ""


def _case(r: Result) -> str:
    c = r.planned.case
    what = {"backward": "backward pass", "unsynchronised": f"{c.mode}, first call included"}.get(
        r.planned.metric, c.mode
    )
    if isinstance(c, Training):
        return f"trained on {c.task}"
    name = f"{c.network}, " if isinstance(c, NetworkStep) else ""
    return f"{name}{what}, T = {c.T:,}, B = {c.B}, N = {c.N}, {c.device}"


def _subjects(f: Assessment) -> Iterator[str]:
    """The options, which are left out above."""
    named = dict.fromkeys(s for r in f.results for s in r.planned.subjects if "[" in s)
    if named:
        yield "Subjects with their options:"
        yield ""
        yield from (f"- `{shown(s)}`" for s in named)


def _code(subject: str) -> str:
    """The subject as people write it, without its options."""
    return "`" + re.sub(r"\[.*?\]", "", shown(subject)) + "`"
