"""`sb.profile` measures a neuron that is new to spikebench: how it is called, what it computes, and its time over T against baselines."""

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from spikebench.analysis import stats
from spikebench.analysis.causes import Why
from spikebench.analysis.comparison import Comparison, judge, together
from spikebench.analysis.crossovers import crossovers
from spikebench.analysis.select import medians
from spikebench.cases.arguments import asked
from spikebench.cases.case import Case, grid, with_changes
from spikebench.cases.point import DEVICES, one_of
from spikebench.cases.subject import Subject, defined, parse_subject
from spikebench.errors import Problem
from spikebench.experiments import handed_over
from spikebench.experiments.sweep import Warn, as_they_can_be
from spikebench.experiments.why import Trials
from spikebench.host import clock
from spikebench.records import store
from spikebench.records.files import save_text
from spikebench.records.record import Record
from spikebench.records.result_file import ResultFile, opened
from spikebench.report import profile_html, profile_page
from spikebench.report.profile_verdict import short
from spikebench.run import blocks
from spikebench.run.protocol import CheckJob, CheckResult, FoundWay, Outcome, Traced, TraceJob, WayJob
from spikebench.run.schedule import Missing, Point, Schedule, points
from spikebench.run.session import Session
from spikebench.run.settings import Settings
from spikebench.units import Count

AGAINST = {"cpu": ("lif@cpu", "lif@eager"), "cuda": ("lif@triton", "lif@eager")}
LENGTHS, MODES = (100, 300, 1000), ("train", "inference")
FIRST, LATER = ("latency", "compile_time", "copy", "spike_rate", "peak_memory"), ("latency",)
PAIRS, BUDGET = 5, 150.0
FOR_WHY = 0.25  # share of the budget to find out with why the subject is slow
# the process is replicated, so that of a launch over half a second one sample is enough
SLOW: dict[str, Any] = {"fewest": 1, "slow": 0.5, "warmup": 0.5}
GRACE = 10.0  # seconds after the budget when a process that is still running is ended
SETTINGS = Settings(metrics=FIRST, samples=5, timeout=60.0, budget=BUDGET, **SLOW)

Progress = Callable[[str, int, int], None]


@dataclass
class Profile:
    """What is known of a subject: how it is called, its checks, records, and comparisons with baselines.

    `status` is ok, or why nothing was measured: refused, wrong, timeout, failed or oom, with the reason. `left_out` are
    the comparisons that the budget left without all their pairs, `seconds` is how long everything took.
    """

    subject: str
    status: str = "ok"
    reason: str | None = None
    way: FoundWay | None = None
    checks: list[CheckResult] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    trace: Traced | None = None
    why: Why = field(default_factory=Why)
    left_out: list[Missing] = field(default_factory=list)
    seconds: float = 0.0
    pairs: int = PAIRS
    share: float = 1.0  # of the budget that the comparisons have
    settings: Settings = field(default_factory=lambda: replace(SETTINGS))
    out: ResultFile | None = None
    started: float = field(default_factory=clock.monotonic)
    kept: Any = None  # what must live as long as this: the folder of a subject handed over from memory

    def table(self) -> Any:
        """A tidy pandas frame, one row per sample; see `spikebench.records.store.frame`."""
        return store.frame(self.records)

    def compare(self, *baselines: str, progress: Progress | None = None) -> "Profile":
        """The same profile with more baselines, measured live in pairs with the subject."""
        if self.status != "ok":
            raise Problem(f"{short(self.subject)} was not measured: {self.status}: {self.reason}")
        with Session(self.settings) as session:
            session.handed = self.kept.name if self.kept else session.handed
            more = replace(self, cases=self.known, started=clock.monotonic())
            schedule = _schedule(more, [str(parse_subject(b)) for b in baselines], named=True)
            _measure(session, more, schedule, progress)
        return replace(
            more,
            records=[*self.records, *more.records],
            comparisons=[*self.comparisons, *more.comparisons],
            left_out=[*self.left_out, *more.left_out],
            seconds=self.seconds + more.seconds,
        )

    @property
    def known(self) -> list[Case]:
        """The cases that were measured."""
        measured = {r.case_id for r in self.records}
        return [c for c in self.cases if c.case_id in measured]

    def verdict(self) -> str:
        """One page of Markdown: what it costs, where it wins and from which T on, what is wrong with it."""
        return profile_page.page(self)

    def report(self, path: str | Path) -> Path:
        """Write the verdict to an HTML page that needs nothing else, or to a file of Markdown; its path."""
        where = Path(path)
        text = self.verdict() if where.suffix == ".md" else profile_html.page(self)
        return save_text(where, text, "name another file")

    def to_json(self) -> dict[str, Any]:
        """What `profile --json` prints."""
        return {
            **{k: getattr(self, k) for k in ("subject", "status", "reason", "seconds")},
            "way": asdict(self.way) if self.way else {},
            "checks": [vars(c) for c in self.checks],
            "trace": self.trace.to_json() if self.trace else {},
            "why": self.why.to_json(),
            "left_out": [{**m._asdict(), "point": m.point._asdict()} for m in self.left_out],
            "comparisons": [c.to_json() for c in self.comparisons],
            "growth": [
                {
                    "subject": of["subject"],
                    "mode": of["mode"],
                    "T": s.T,
                    "value": s.exponent,
                    "low": s.low,
                    "high": s.high,
                }
                for of, s in profile_page.exponents(self.records)
            ],
            "crossovers": [vars(c) for c in crossovers(self.comparisons)],
            "records": [r.to_json() for r in self.records],
        }


@asked
def profile(
    subject: Any,
    T: int | Sequence[int] | None = None,
    B: Count = 16,
    N: Count = 128,
    against: Sequence[str] | None = None,
    mode: str | Sequence[str] | None = None,
    layout: str | None = None,
    init: Mapping[str, Any] | None = None,
    adapter: str | None = None,
    reset: str | None = None,
    like: str | None = None,
    pairs: Count = PAIRS,
    settings: Settings | None = None,
    session: Session | None = None,
    out: str | Path | None = None,
    trace: str | Path | None = None,
    progress: Progress | None = None,
    warn: Warn | None = None,
    why: bool = True,
    **fields: Any,
) -> Profile:
    """Measure a neuron that spikebench has never seen: a class, factory(n) → module, module, or a subject's text.

    It runs in worker processes. How it is made and called is found out where `init` (arguments of its constructor), `layout`
    (TB, BT), `adapter` (sequence, step) and `reset` (a method) do not say it. It must be causal, deterministic, keep
    the shape and leak no state, or nothing is timed. `like` gates it against a neuron of ours. `settings.budget`
    bounds the whole in seconds. What does not fit is left out: of lengths that `T` names, pairs; otherwise (100, 300 and
    1000 steps) lengths and modes before pairs. A quarter of it is for `why`: what a launch does is observed, and remedies for
    what makes it slow are tried. A `session` brings its own settings. `fields` are those of a Case: device,
    dtype, rate. Raises Problem if the subject cannot be built.
    """
    text, kept = handed_over.named(subject)
    given = handed_over.given(text, init, {"layout": layout, "adapter": adapter, "reset": reset})
    named, baselines = _taken(given, against, fields.get("device", "cpu"), warn)
    lengths = [T] if isinstance(T, int) else sorted(set(T or LENGTHS))
    modes = [mode] if isinstance(mode, str) else list(mode or MODES)
    chosen = session.settings if session else settings or replace(SETTINGS)
    made = Profile(str(named), pairs=pairs, share=1 - FOR_WHY * why, settings=chosen, kept=kept)
    cases = [c for t in lengths for c in grid([str(named)], T=[t], B=[B], N=[N], mode=modes, **fields)]
    tell = progress or _silent
    with opened(out) as made.out, nullcontext(session) if session else Session(chosen) as session:
        session.handed = kept.name if kept else session.handed
        if _understood(session, made, named, cases, defined(like), tell):
            made.cases = [with_changes(c, subject=made.subject) for c in cases]
            _measure(session, made, _schedule(made, baselines, named=T is not None), tell)
            made.trace = _ask_trace(session, made, Path(trace)) if trace is not None else None
            made.why = _ask_why(session, made, tell) if why else made.why
    made.seconds = clock.monotonic() - made.started
    return made


def _taken(given: Subject, against: Sequence[str] | None, device: str, warn: Warn | None) -> tuple[Subject, list[str]]:
    """The subject and its baselines, with options that all of one neuron can have."""
    one_of("device", device, DEVICES)
    text, *baselines = as_they_can_be([str(given), *(against or AGAINST[device])], device, warn)
    return given if given.foreign else parse_subject(text), baselines


def _understood(
    session: Session, made: Profile, named: Subject, cases: list[Case], like: str | None, tell: Progress
) -> bool:
    """Find out how the subject is called and what it computes; False if it cannot be measured, whose reason the profile has then."""
    tell("how it is called", 0, 0)
    if named.foreign and not _ask_way(session, made, named, cases[0], sorted({c.T for c in cases})):
        return False
    tell("what it computes", 0, 0)
    _ask_checks(session, made, cases[0], like)
    return made.status == "ok"


def _silent(what: str, done: int, of: int) -> None:
    """Nobody is told."""


def _ask_way(session: Session, made: Profile, named: Subject, case: Case, lengths: list[int]) -> bool:
    """Find out how the subject is called and write that into its text; False if that failed."""
    job = WayJob(made.subject, named.how, case.N, lengths, case.device)
    outcome = session.ask(case, job)
    if outcome.result.problem:
        raise Problem(str(outcome.reason))
    if outcome.status != "ok":
        made.status, made.reason = (
            outcome.status,
            f"{outcome.reason}, while finding out how it is called{_raise(outcome)}",
        )
        return False
    made.way = outcome.result.way
    made.subject = made.way.subject if made.way else made.subject
    return True


def _raise(outcome: Outcome) -> str:
    """The option that lets a process run longer, where it had no time."""
    return "; raise --timeout" if outcome.status == "timeout" else ""


def _ask_checks(session: Session, made: Profile, case: Case, like: str | None) -> None:
    """Check what the subject computes; a failed check that makes its times worthless makes the profile wrong."""
    job = CheckJob(made.subject, like, made.way.fixed if made.way else {}, case.device)
    outcome = session.ask(case, job)
    if outcome.result.problem:
        raise Problem(str(outcome.reason))
    if outcome.status != "ok":
        made.status, made.reason = outcome.status, f"{outcome.reason}, while checking what it computes{_raise(outcome)}"
        return
    made.checks = outcome.result.checks or []
    bad = [c for c in made.checks if c.passed is False and c.check in profile_page.REFUSING]
    if bad:
        made.status, made.reason = "wrong", "; ".join(f"{c.check}: {c.detail}" for c in bad)


def _ask_trace(session: Session, made: Profile, path: Path) -> Traced:
    """Where the time of a launch goes, at the longest length that was measured."""
    longest = max(made.known, key=lambda c: (c.T, c.mode == made.cases[0].mode))
    outcome = session.ask(longest, TraceJob(longest, str(path.resolve())))
    return Traced(longest, outcome.reason, outcome.result.trace)


def _ask_why(session: Session, made: Profile, tell: Progress) -> Why:
    """Why it is slow, with what is left of the budget."""
    cases = {c: medians(r for r in made.records if r.case_id == c.case_id) for c in made.known}
    launches = {c: stats.median(found) for c, found in cases.items() if found}
    budget, fixed = made.settings.budget, bool(made.way and made.way.fixed)
    until = made.started + budget if budget is not None else math.inf
    session.deadline = until + GRACE
    found = Trials(session, fixed, launches, until, lambda what: tell(what, 0, 0)).why()
    session.deadline = None
    if made.out is not None:
        for record in found.records:
            made.out.append(record)
    return found


def _schedule(made: Profile, baselines: list[str], named: bool) -> Schedule:
    """What is to be measured of a profile's cases in its share of the budget; `named`: somebody asked for just these lengths."""
    others = list(dict.fromkeys(b for b in baselines if b != made.subject))
    lengths, modes = [c.T for c in made.cases], list(dict.fromkeys(c.mode for c in made.cases))
    s = made.settings
    budget = None if s.budget is None else made.share * s.budget
    return Schedule(made.subject, others, points(modes, lengths), made.pairs, budget, named, s.slow)


def _measure(session: Session, made: Profile, schedule: Schedule, progress: Progress | None) -> None:
    """Blocks as the schedule has them, one fresh process per subject; then every ratio."""
    found: dict[str, list[Record]] = {}
    cases = {Point(c.mode, c.T): c for c in made.cases}
    shuffled, done = random.Random(made.subject), 0
    while (step := schedule.next(spent := clock.monotonic() - made.started)) is not None:
        point, subjects = step
        (progress or _silent)(f"{point.mode} T={point.T}", done, done + max(1, schedule.todo(spent)))
        session.deadline = clock.monotonic() + schedule.allowance(spent, point) + GRACE
        for record in _block(
            session, schedule, point, [with_changes(cases[point], subject=s) for s in subjects], shuffled
        ):
            found.setdefault(record.case_id, []).append(record)
            if made.out is not None:
                made.out.append(record)
        done += 1
    session.deadline = None
    made.records = [r for side in found.values() for r in side]
    made.comparisons = list(_compared(made.cases, schedule.baselines, found))
    made.left_out = list(schedule.left_out())
    made.seconds = clock.monotonic() - made.started


def _compared(cases: list[Case], baselines: list[str], found: dict[str, list[Record]]) -> Iterator[Comparison]:
    """Every baseline and case that has records; each verdict is corrected as one of all in these runs with its baseline."""
    rows: list[Comparison] = []
    for base in baselines:
        for case in cases:
            for subject in (case.subject, *(b for b in baselines if b != base)):
                left, right = (with_changes(case, subject=s) for s in (base, subject))
                theirs, mine = (found.get(c.case_id, []) for c in (left, right))
                if mine and (theirs or mine[0].status != "ok"):
                    rows.append(judge(left, right, theirs, mine, "latency", 0.0))
    yield from (row for row in together(rows) if row.subject == cases[0].subject)


def _block(session: Session, schedule: Schedule, point: Point, cases: list[Case], order: random.Random) -> list[Record]:
    """One block, of which the schedule learns what it cost. A subject that its gate stops is recorded alone."""
    gates: dict[str, float] = {}
    for case in sorted(cases, key=lambda c: c.subject != schedule.subject):
        start = clock.monotonic()
        stopped = session.gate(case.gated).status != "ok"
        gates[case.subject] = clock.monotonic() - start
        if stopped and case.subject == schedule.subject:
            cases = [case]
            break
    block = len(schedule.blocks.get(point, []))
    start = clock.monotonic()
    metrics = LATER if block else session.settings.metrics
    records = [record for _, record in blocks.block(session, cases, block, metrics, order)]
    launches = {r.case["subject"]: _launch(r) for r in records}
    schedule.add(point, clock.monotonic() - start, launches, {} if block else gates)
    return records


def _launch(record: Record) -> float | None:
    """Seconds of a launch of a record; None where there are none."""
    return next(iter(medians([record])), None)
