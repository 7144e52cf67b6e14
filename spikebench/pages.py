"""A claim's page as Markdown: what was read, what was measured, the fair baseline, the factors, what is doubtful."""

import re
from collections.abc import Iterator

from spikebench import units
from spikebench.claim import Claim
from spikebench.finding import Finding, Result

READ = {"primary": "read in the paper or its abstract", "code": "read in the authors' code or result files"}
READ |= {"secondary": "read in another paper or a summary, not in the paper itself"}


def page(f: Finding, c: Claim) -> str:
    """The page of a finding; it ends with a newline."""
    return "\n".join([*_head(f, c), *_weighings(f), *_growth(f), *_subjects(f), ""]).rstrip() + "\n"


def _head(f: Finding, c: Claim) -> Iterator[str]:
    yield f"# {f.claim.replace('_', '-')}"
    yield ""
    yield f"> {c.sentence}"
    yield ""
    yield f"{c.paper}; {c.where} ({READ[c.read]})."
    yield ""
    facts = {"Published": c.text, "Figure": c.figure, "Setting": c.setting, "Hardware": c.hardware, "Timed": c.timed}
    for name, value in (facts | {"Doubtful": c.doubt}).items():
        if value:
            yield f"- {name}: {value}"
    yield ""
    note = " (other setting)" if f.setting == "other" else ""
    yield f"**Verdict: {f.verdict}{note}.** {f.reason}".rstrip()
    if f.measured is not None:
        yield ""
        yield f"Measured: **{f.shown}**" + (f"; against the fair baseline: {_fair(f)}." if f.fair else ".")
        if f.machine:
            yield f"Machine: {f.machine}."
    yield ""


def _fair(f: Finding) -> str:
    return f"**{f.fair.shown}** ({_code(f.fair.subject)} over {_code(f.fair.baseline)})" if f.fair else "—"


def _weighings(f: Finding) -> Iterator[str]:
    if not f.results:
        return
    yield "## Measured"
    yield ""
    yield "| case | baseline | candidate | published | measured | fair |"
    yield "| --- | --- | --- | ---: | ---: | ---: |"
    for r in f.results:
        w = r.weighing
        shown = units.ratio(r.ratio.estimate, r.ratio.low, r.ratio.high, r.ratio.n) if r.ratio else r.problem or "—"
        claimed = w.claimed.text if w.claimed else f.claimed
        cells = [_case(r), _code(w.baseline), _code(w.candidate), claimed, shown, r.fair.shown if r.fair else "—"]
        yield f"| {' | '.join(cells)} |"
    yield ""
    for r in f.results:
        yield from _factors(r)


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


def _growth(f: Finding) -> Iterator[str]:
    if not (rows := f.growth):
        return
    yield "## Growth: t = a·T + b·T²"
    yield ""
    yield f"| {' | '.join(rows[0])} |"
    yield f"|{' --- |' * len(rows[0])}"
    for row in rows:
        yield f"| {' | '.join(_code(str(v)) if k == 'subject' else str(v) for k, v in row.items())} |"
    yield ""


def _case(r: Result) -> str:
    c = r.weighing.case
    what = "backward pass" if r.weighing.backward else c.mode
    if c.workload == "training":
        return f"trained on {c.task}"
    name = f"{c.network}, " if c.network else ""
    return f"{name}{what}, T = {c.T:,}, B = {c.B}, N = {c.N}, {c.device}"


def _subjects(f: Finding) -> Iterator[str]:
    """The options, which are left out above."""
    named = dict.fromkeys(s for r in f.results for s in r.weighing.subjects if "[" in s)
    if named:
        yield "Subjects with their options:"
        yield ""
        yield from (f"- `{s}`" for s in named)


def _code(subject: str) -> str:
    """The subject without its options."""
    return "`" + re.sub(r"\[.*?\]", "", subject) + "`"
