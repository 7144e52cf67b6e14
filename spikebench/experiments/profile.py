"""`sb.profile` measures a neuron that is new to spikebench: how it is called, what it computes, and its time over T against baselines."""

import random
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from spikebench.analysis.comparison import Comparison, judge, together
from spikebench.analysis.select import medians
from spikebench.cases.case import Case, grid, with_changes
from spikebench.cases.options import read_value
from spikebench.cases.subject import PICKLED, Subject, parse_subject
from spikebench.errors import Problem
from spikebench.host import clock
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.report import html as report
from spikebench.report import profile_page as verdict
from spikebench.run import blocks
from spikebench.run.protocol import CheckJob, CheckResult, FoundWay, Traced, TraceJob, WayJob
from spikebench.run.schedule import Missing, Point, Schedule, points
from spikebench.run.session import Session
from spikebench.run.settings import Settings

AGAINST = {"cpu": ("lif@cpu", "lif@eager"), "cuda": ("lif@triton", "lif@eager")}
LENGTHS, MODES = (100, 300, 1000), ("train", "inference")
FIRST, LATER = ("latency", "copy", "spike_rate", "peak_memory"), ("latency",)
PAIRS, BUDGET = 5, 150.0
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
    left_out: list[Missing] = field(default_factory=list)
    seconds: float = 0.0
    pairs: int = PAIRS
    settings: Settings = field(default_factory=lambda: replace(SETTINGS))
    out: Path | None = None
    started: float = field(default_factory=clock.monotonic)
    kept: Any = None  # what must live as long as this: the folder of a subject handed over from memory

    def table(self) -> Any:
        """A tidy pandas frame, one row per sample; see `spikebench.records.store.frame`."""
        return store.frame(self.records)

    def compare(self, *baselines: str, progress: Progress | None = None) -> "Profile":
        """The same profile with more baselines, measured live in pairs with the subject."""
        if self.status != "ok":
            raise Problem(f"{verdict.short(self.subject)} was not measured: {self.status}: {self.reason}")
        with Session(self.settings) as session:
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
        return verdict.page(self)

    def report(self, path: str | Path) -> Path:
        """Write the verdict to a Markdown file, or a whole report, with the verdict first, to an HTML file; its path."""
        where = Path(path)
        if where.suffix != ".md":
            title = f"Profile of {verdict.short(self.subject)}"
            baseline = self.comparisons[0].baseline if self.comparisons else None
            return report.write(self.records, where, title, self.verdict(), baseline=baseline)
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(self.verdict())
        return where

    def to_json(self) -> dict[str, Any]:
        """What `profile --json` prints."""
        return {
            **{k: getattr(self, k) for k in ("subject", "status", "reason", "seconds")},
            "way": asdict(self.way) if self.way else {},
            "checks": [vars(c) for c in self.checks],
            "trace": self.trace.to_json() if self.trace else {},
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
                for of, s in verdict.exponents(self.records)
            ],
            "crossovers": [vars(c) for c in verdict.crossovers(self.comparisons)],
            "records": [r.to_json() for r in self.records],
        }


def profile(
    subject: Any,
    T: int | Sequence[int] | None = None,
    B: int = 16,
    N: int = 128,
    against: Sequence[str] | None = None,
    mode: str | Sequence[str] | None = None,
    layout: str | None = None,
    init: Mapping[str, Any] | None = None,
    adapter: str | None = None,
    reset: str | None = None,
    like: str | None = None,
    pairs: int = PAIRS,
    settings: Settings | None = None,
    session: Session | None = None,
    out: str | Path | None = None,
    trace: str | Path | None = None,
    progress: Progress | None = None,
    **fields: Any,
) -> Profile:
    """Measure a neuron that spikebench has never seen: a class, factory(n) → module, module, or a subject's text.

    It runs in worker processes only. How it is made and called is found out where `init` (arguments of its constructor),
    `layout` (TB, BT), `adapter` (sequence, step) and `reset` (a method) do not say it. It must be causal, deterministic,
    keep the shape and leak no state, or nothing is timed. `like` gates it against a neuron of ours. `settings.budget`
    bounds the whole in seconds. What does not fit is left out: of lengths that `T` names, pairs; otherwise (100, 300 and
    1000 steps) lengths and modes before pairs. A `session` brings its own settings. `fields` are those of a Case: device,
    dtype, rate. Raises Problem if the subject cannot be built.
    """
    text, kept = _named(subject)
    named = _given(text, init, {"layout": layout, "adapter": adapter, "reset": reset})
    lengths = [T] if isinstance(T, int) else sorted(set(T or LENGTHS))
    modes = [mode] if isinstance(mode, str) else list(mode or MODES)
    chosen = session.settings if session else settings or replace(SETTINGS)
    baselines = [str(parse_subject(b)) for b in against or AGAINST[fields.get("device", "cpu")]]
    made = Profile(str(named), pairs=pairs, settings=chosen, kept=kept, out=Path(out) if out is not None else None)
    cases = [c for t in lengths for c in grid([str(named)], T=[t], B=[B], N=[N], mode=modes, **fields)]
    tell = progress or _silent
    with nullcontext(session) if session else Session(chosen) as session:
        tell("how it is called", 0, 0)
        if not (named.foreign and not _ask_way(session, made, named, cases[0], lengths)):
            tell("what it computes", 0, 0)
            _ask_checks(session, made, cases[0], like)
        if made.status == "ok":
            made.cases = [with_changes(c, subject=made.subject) for c in cases]
            _measure(session, made, _schedule(made, baselines, named=T is not None), tell)
            if trace is not None:
                _ask_trace(session, made, Path(trace))
    made.seconds = clock.monotonic() - made.started
    return made


def _silent(what: str, done: int, of: int) -> None:
    """Nobody is told."""


def _given(text: str, init: Mapping[str, Any] | None, how: Mapping[str, Any]) -> Subject:
    """The subject with constructor arguments and what is said of how it is called."""
    named = parse_subject(text)
    options = {**named.options, **(init or {})}
    if not all(map(_plain, options.values())):
        raise Problem(f"init {init}: only numbers, true, false, null and plain words can be written into a subject")
    said = {k: v for k, v in how.items() if v is not None}
    if said and not named.foreign:
        raise Problem(f"{named} is a neuron of ours; {', '.join(said)} is for modules of others")
    made = replace(named, options=options, how=named.how | said)
    checked = parse_subject(str(made))
    return replace(checked, how=made.how) if named.foreign else checked  # what is as usual may be said, too


def _plain(value: Any) -> bool:
    """Whether a value is the same after it was written into a subject and read again."""
    if isinstance(value, str):
        return read_value(value) == value and not set("[],=@") & set(value)
    return value is None or isinstance(value, bool | int | float)


def _named(subject: Any) -> tuple[str, Any]:
    """The text of a subject, and what must be kept for it: an object in memory is pickled into a folder."""
    if isinstance(subject, str):
        return subject, None
    module, name = getattr(subject, "__module__", "__main__"), getattr(subject, "__qualname__", "")
    import cloudpickle
    from torch import nn  # here, so that nobody waits for torch who asks for something else

    home = sys.modules.get(module)
    path = getattr(home, "__file__", None)
    if module != "__main__" and path and getattr(home, name, None) is subject:
        return (f"{module}:{name}" if getattr(home, "__package__", "") else f"{path}:{name}"), None
    if not (isinstance(subject, nn.Module) or callable(subject)):
        raise Problem(
            f"{subject!r} is no subject; give a class, a factory(n), a module, or text like paper.py:MyNeuron"
        )
    folder = tempfile.TemporaryDirectory(prefix="spikebench-")
    label = getattr(subject, "__name__", type(subject).__name__).replace("<lambda>", "factory")
    source = sys.modules.get(type(subject).__module__)
    if isinstance(subject, nn.Module) and source is not None and _own_code(source):
        cloudpickle.register_pickle_by_value(source)
    where = Path(folder.name) / f"{label}{PICKLED}"
    where.write_bytes(cloudpickle.dumps(subject))
    return f"{where}:{label}", folder


def _own_code(module: Any) -> bool:
    """Whether a module is code that a worker may not be able to import: not installed, not the script itself."""
    path = getattr(module, "__file__", None)
    return module.__name__ != "__main__" and path is not None and "site-packages" not in path


def _ask_way(session: Session, made: Profile, named: Subject, case: Case, lengths: list[int]) -> bool:
    """Find out how the subject is called and write that into its text; False if that failed."""
    job = WayJob(made.subject, named.how, case.N, lengths)
    outcome = session.ask(case, job)
    if outcome.result.problem:
        raise Problem(str(outcome.reason))
    if outcome.status != "ok":
        made.status, made.reason = outcome.status, f"{outcome.reason}, while finding out how it is called"
        return False
    made.way = outcome.result.way
    made.subject = made.way.subject if made.way else made.subject
    return True


def _ask_checks(session: Session, made: Profile, case: Case, like: str | None) -> None:
    """Check what the subject computes; a failed check that makes its times worthless makes the profile wrong."""
    job = CheckJob(made.subject, like, made.way.fixed if made.way else {})
    outcome = session.ask(case, job)
    if outcome.result.problem:
        raise Problem(str(outcome.reason))
    if outcome.status != "ok":
        made.status, made.reason = outcome.status, f"{outcome.reason}, while checking what it computes"
        return
    made.checks = outcome.result.checks or []
    bad = [c for c in made.checks if c.passed is False and c.check in verdict.REFUSING]
    if bad:
        made.status, made.reason = "wrong", "; ".join(f"{c.check}: {c.detail}" for c in bad)


def _ask_trace(session: Session, made: Profile, path: Path) -> None:
    """Where the time of a launch goes, at the longest length that was measured."""
    longest = max(made.known, key=lambda c: (c.T, c.mode == made.cases[0].mode))
    outcome = session.ask(longest, TraceJob(longest, str(path.resolve())))
    made.trace = Traced(longest, outcome.reason, outcome.result.trace)


def _schedule(made: Profile, baselines: list[str], named: bool) -> Schedule:
    """What is to be measured of a profile's cases; `named`: somebody asked for just these lengths."""
    others = list(dict.fromkeys(b for b in baselines if b != made.subject))
    lengths, modes = [c.T for c in made.cases], list(dict.fromkeys(c.mode for c in made.cases))
    s = made.settings
    return Schedule(made.subject, others, points(modes, lengths), made.pairs, s.budget, named, s.slow)


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
                store.append(made.out, record)
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
