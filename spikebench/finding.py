"""A finding: what a table of records says about a claim. Nothing is measured here."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from spikebench import pairs, stats, units
from spikebench.case import Case
from spikebench.claim import Claim, Number, Question, Statement, Weighing
from spikebench.growth import growth_rows
from spikebench.record import Record

Verdict = Literal["reproduced", "smaller", "contradicted", "inconclusive", "not testable here"]
Setting = Literal["published", "other", "scaled"]
FAILED: tuple[Verdict, ...] = ("smaller", "contradicted")
Key = tuple[str, int]

_POINT = ("subject", "workload", "mode", "T", "B", "N", "dtype", "device", "rate", "network", "task")


class Table:
    """Records by case. A key names a block: (run, repeat), or for trainings the seed."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._rows: dict[tuple[Any, ...], dict[Key, Record]] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        point, key = _place(record.case.get, record.run, record.repeat)
        self._rows.setdefault(point, {})[key] = record

    def of(self, case: Case) -> dict[Key, Record]:
        """The records of a case by block; a training's whatever its seed."""
        return self._rows.get(_place(lambda name: getattr(case, name), "", 0)[0], {})

    def blocks(self, cases: Sequence[Case]) -> list[Key]:
        """The blocks that hold every one of these cases, whatever their status."""
        shared = [self.of(case) for case in cases]
        return [key for key in shared[0] if all(key in rows for rows in shared)] if shared else []

    def values(self, case: Case, metric: str) -> dict[Key, float]:
        """The median of a metric in each block that has it; of spike rates, one per layer, the mean."""
        typical = statistics.fmean if metric == "spike_rate" else stats.median
        found = {key: r.measurement(metric) for key, r in self.of(case).items() if r.status == "ok"}
        return {key: typical(m.samples) for key, m in found.items() if m and m.samples}

    def problem(self, cases: Iterable[Case]) -> str | None:
        """Why the first case that went wrong did."""
        bad = (r for case in cases for r in self.of(case).values() if r.status != "ok")
        return next((f"{r.case['subject']}: {r.status}: {r.reason}" for r in bad), None)


def _place(field: Callable[[str], Any], run: str, repeat: int) -> tuple[tuple[Any, ...], Key]:
    """The case, in which the seed of a training does not count, and the block."""
    point = tuple(field(name) for name in _POINT)
    seed = field("seed")
    return (point, ("seed", seed)) if field("workload") == "training" else ((*point, seed), (run, repeat))


@dataclass(frozen=True)
class Factor:
    """One subject against another in the same blocks."""

    baseline: str
    subject: str
    ratio: stats.Ratio

    @property
    def shown(self) -> str:
        """The ratio with its interval."""
        return units.ratio(self.ratio.estimate, self.ratio.low, self.ratio.high, self.ratio.n)

    def to_json(self) -> dict[str, Any]:
        return {"baseline": self.baseline, "subject": self.subject, **_numbers(self.ratio)}


@dataclass(frozen=True)
class Result:
    """One weighing: its ratio, the fair one, the factors of its rungs, and each subject's median."""

    weighing: Weighing
    ratio: stats.Ratio | None
    fair: Factor | None
    factors: tuple[Factor, ...]
    medians: dict[str, float]
    problem: str | None

    def to_json(self) -> dict[str, Any]:
        w = self.weighing
        return {
            "baseline": w.baseline,
            "subject": w.candidate,
            "metric": f"{w.metric}, backward" if w.backward else w.metric,
            "case": {k: getattr(w.case, k) for k in ("workload", "mode", "T", "B", "N", "device", "network", "task")},
            "claimed": w.claimed.text if w.claimed else None,
            **_numbers(self.ratio),
            "fair": self.fair.to_json() if self.fair else {},
            "factors": [f.to_json() for f in self.factors],
            "medians": self.medians,
            "reason": self.problem,
        }


@dataclass(frozen=True)
class Finding:
    """The verdict on a claim, with the number it rests on; of an exact statement the worst number and the range."""

    claim: str
    claimed: str
    measured: float | None
    low: float | None
    high: float | None
    n: int
    verdict: Verdict
    setting: Setting | None
    reason: str
    fair: Factor | None = None
    results: tuple[Result, ...] = ()
    machine: str | None = None
    records: list[Record] = field(default_factory=list, repr=False)

    def to_json(self) -> dict[str, Any]:
        """The row that `reproduce --json` prints."""
        names = ("claim", "claimed", "measured", "low", "high", "n", "verdict", "setting", "reason", "machine")
        fair = self.fair.to_json() if self.fair else {}
        more = {"points": [r.to_json() for r in self.results], "growth": self.growth}
        return {k: getattr(self, k) for k in names} | {"fair": fair} | more

    @property
    def growth(self) -> list[dict[str, Any]]:
        """The fit t = a·T + b·T² of each subject that was measured as a layer at more than one length."""
        return growth_rows([r for r in self.records if r.case["workload"] == "layer"])

    @property
    def shown(self) -> str:
        """The figure with its interval."""
        if self.measured is None or self.low is None or self.high is None:
            return "—"
        if self.claimed == "exact":
            return f"{self.measured:.2g} in [{self.low:.2g}, {self.high:.2g}], n={self.n}"
        return units.ratio(self.measured, self.low, self.high, self.n)


def judge(name: str, claim: Claim, records: Sequence[Record]) -> Finding:
    """What these records, of one machine, say: the full run if they hold it, else the scaled one."""
    table = Table(records)
    machine = next((str(r.environment.get("machine")) for r in records), None)
    for questions in (claim.full, claim.scaled):
        results = tuple(weigh(q, table) for q in questions if isinstance(q, Weighing))
        mine = [r for q in questions for c in q.cases() for r in table.of(c).values()]
        if head := next((r for r in results if r.ratio), None):
            return _weighed(name, claim, head, results, machine, mine)
        for question in questions:
            if isinstance(question, Statement) and (values := _numbers_of(question, table)):
                return _stated(name, claim, question, values, machine, mine)
    asked = (*claim.full, *claim.scaled)
    problem = next((p for q in asked if any(map(table.of, q.cases())) and (p := _why(q, table))), None)
    reason = claim.absent or problem or f"not measured; `spikebench reproduce {name}` measures it"
    return Finding(name, claim.text, None, None, None, 0, "not testable here", None, reason, machine=machine)


def _why(question: Question, table: Table) -> str | None:
    return weigh(question, table).problem if isinstance(question, Weighing) else _problem(question, table)


def _problem(question: Question, table: Table) -> str | None:
    return table.problem(question.cases())


def weigh(w: Weighing, table: Table) -> Result:
    """A weighing's figures, as far as the table holds them."""

    def factor(baseline: str, subject: str) -> Factor | None:
        found = _ratio(w, table, baseline, subject)
        return Factor(baseline, subject, found) if found else None

    steps = [factor(a, b) for a, b in zip(w.rungs, w.rungs[1:], strict=False)]
    medians = {s: stats.median(list(_sides(w, table, s).values())) for s in w.subjects if _sides(w, table, s)}
    fair = factor(*w.fair) if w.fair else None
    ratio = _ratio(w, table, w.baseline, w.candidate)
    problem = _problem(w, table) or ("a backward pass is lost in noise" if w.backward and not ratio else None)
    return Result(w, ratio, fair, tuple(f for f in steps if f), medians, problem)


def _turns(w: Weighing, table: Table, subject: str) -> dict[Key, list[float]]:
    """A subject's times of each block by turn, where all that makes up its number was sampled in turns."""
    found: dict[Key, list[float]] = {}
    parts = [table.of(case) for case in w.cases(0, [subject])]
    for key in table.blocks(w.cases(0, [subject])) if w.metric == "latency" else []:
        times = [pairs.by_turn(rows[key]) for rows in parts]
        if all(times):
            found[key] = [t[-1] - t[0] if w.backward else t[0] for t in zip(*times, strict=False)]
    return found


def _sides(w: Weighing, table: Table, subject: str) -> dict[Key, float]:
    """A subject's median in each block; with `backward` the difference of its two modes, none if noise turned one round."""
    parts = [table.values(case, w.metric) for case in w.cases(0, [subject])]
    if w.backward:
        forward, train = parts
        found = {key: train[key] - forward[key] for key in train if key in forward}
        return found if all(value > 0 for value in found.values()) else {}  # leaving blocks out would bend the mean
    return parts[0]


def _ratio(w: Weighing, table: Table, baseline: str, subject: str) -> stats.Ratio | None:
    sides = [_sides(w, table, s) for s in (baseline, subject)]
    keys = sorted(k for k in sides[0].keys() & sides[1].keys() if sides[0][k] > 0 < sides[1][k])
    if not keys:
        return None
    base = [sides[0][k] for k in keys]
    mine = [sides[1][k] for k in keys]
    turns = [_turns(w, table, s) for s in (baseline, subject)]
    for i, k in enumerate(keys):  # see pairs.sides
        if k in turns[0] and k in turns[1] and (each := pairs.quotient(turns[0][k], turns[1][k])):
            mine[i] = base[i] / each
    return stats.paired_ratio(mine, base) if w.more else stats.paired_ratio(base, mine)


def _numbers_of(s: Statement, table: Table) -> list[float]:
    found = [m for c in s.cases() for r in table.of(c).values() if r.status == "ok" and (m := r.measurement(s.metric))]
    return [float(m.detail[s.detail]) for m in found if s.detail in m.detail and (not s.given or m.detail.get(s.given))]


def setting_of(claim: Claim, question: Question) -> Setting:
    """How near a question is to what was published; another model of the same kind of device is only named."""
    if question.scaled:
        return "scaled"
    met = claim.known and not question.differs and claim.device in ("any", question.cases()[0].device)
    return "published" if met else "other"


def verdict(ratio: stats.Ratio, claimed: Number, setting: Setting) -> Verdict:
    """The verdict on an interval. Nothing is contradicted but in the published setting."""
    if setting == "scaled":
        return "not testable here"
    if ratio.low >= claimed.least:
        return "reproduced"
    if ratio.high <= 1:
        return "contradicted" if setting == "published" else "inconclusive"
    return "smaller" if ratio.low > 1 and ratio.high < claimed.value else "inconclusive"


def _weighed(
    name: str, claim: Claim, head: Result, results: tuple[Result, ...], machine: str | None, records: list[Record]
) -> Finding:
    w, ratio = head.weighing, head.ratio
    claimed = w.claimed or claim.claimed
    if ratio is None or claimed is None:
        raise ValueError(f"{name}: a weighing needs a published number")
    setting = setting_of(claim, w)
    reason = _reason(claim, w, setting, units.ratio(ratio.estimate, ratio.low, ratio.high, ratio.n))
    found = verdict(ratio, claimed, setting)
    numbers = (claimed.text, ratio.estimate, *_bounds(ratio), ratio.n)
    return Finding(name, *numbers, found, setting, reason, head.fair, results, machine, records)


def _stated(
    name: str, claim: Claim, s: Statement, values: list[float], machine: str | None, records: list[Record]
) -> Finding:
    setting = setting_of(claim, s)
    holds = all(s.holds(v) for v in values)
    failed: Verdict = "contradicted" if setting == "published" else "inconclusive"
    found: Verdict = "not testable here" if s.scaled else "reproduced" if holds else failed
    worst = max(values) if s.at_most is not None else min(values)
    asked = f"{s.metric} {s.detail} " + (f"≤ {s.at_most:g}" if s.at_most is not None else f"≥ {s.at_least:g}")
    reason = "; ".join(filter(None, [asked, _reason(claim, s, setting, f"{worst:.2g}")]))
    numbers = (worst, min(values), max(values), len(values))
    return Finding(name, claim.text, *numbers, found, setting, reason, None, (), machine, records)


def _reason(claim: Claim, question: Question, setting: Setting, figure: str) -> str:
    device = question.cases()[0].device
    why = "no GPU" if claim.device == "cuda" and device == "cpu" else ""
    if setting == "scaled":
        return f"{why or question.differs or 'the published sizes are out of reach'}; scaled run gives {figure}"
    if setting == "other":
        parts = [
            "a CPU for the GPU" if why else "",
            question.differs,
            "" if claim.known else "published setting unknown",
        ]
        return "other setting: " + "; ".join(filter(None, parts))
    return ""


def _numbers(ratio: stats.Ratio | None) -> dict[str, Any]:
    if ratio is None:
        return {"measured": None, "low": None, "high": None, "n": 0}
    low, high = _bounds(ratio)
    return {"measured": ratio.estimate, "low": low, "high": high, "n": ratio.n}


def _bounds(ratio: stats.Ratio) -> tuple[float | None, float | None]:
    """The interval; none for a single block."""
    return (ratio.low, ratio.high) if ratio.n > 1 else (None, None)
