"""An assessment is what records say about a claim: a figure with its interval, a verdict, and the reason. Nothing is measured here."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.paired import by_origin, compared
from spikebench.analysis.pairs import WIDEST
from spikebench.analysis.printed import AssessmentRow, FactorRow, Measured, ResultRow
from spikebench.analysis.scaling import ScalingRow, scaling_rows
from spikebench.analysis.select import Table
from spikebench.cases.case import Training
from spikebench.claim import Claim, Number, PlannedComparison, Question, Statement
from spikebench.records.record import FEWEST, Record

Verdict = Literal["reproduced", "smaller", "contradicted", "inconclusive", "not testable here"]
Setting = Literal["published", "other", "scaled"]
FAILED: tuple[Verdict, ...] = ("smaller", "contradicted")


@dataclass(frozen=True)
class Factor:
    """One subject against another in the same blocks."""

    baseline: str
    subject: str
    ratio: stats.Ratio
    points: bool = False

    @property
    def shown(self) -> str:
        """The figure with its interval."""
        return shown(self.ratio, self.points)

    def to_json(self) -> FactorRow:
        return {"baseline": self.baseline, "subject": self.subject, **_numbers(self.ratio)}


def shown(ratio: stats.Ratio, points: bool = False) -> str:
    """A ratio with its interval and number of pairs. Of an interval wider than a factor 2 only the ends are shown."""
    if points:
        ends = "no interval" if ratio.n < 2 else f"[{ratio.low:+.1f}, {ratio.high:+.1f}]"
        return f"{ratio.estimate:+.1f} points {ends}, n={ratio.n}"
    if ratio.n > 1 and ratio.high > WIDEST * ratio.low:
        return f"between {units.digits(ratio.low)}x and {units.digits(ratio.high)}x, n={ratio.n}"
    return units.ratio(ratio.estimate, ratio.low, ratio.high, ratio.n)


@dataclass(frozen=True)
class Result:
    """What records say about one planned comparison: its ratio, that of the strong baseline, the factor of each step, the medians."""

    planned: PlannedComparison
    ratio: stats.Ratio | None
    strong: Factor | None
    factors: tuple[Factor, ...]
    medians: dict[str, float]
    problem: str | None

    @property
    def shown(self) -> str:
        """The figure, or why there is none."""
        return shown(self.ratio, self.planned.points) if self.ratio else self.problem or "—"

    def to_json(self) -> ResultRow:
        planned, written = self.planned, self.planned.case.to_json()
        return {
            "baseline": planned.baseline,
            "subject": planned.candidate,
            "metric": planned.metric,
            "case": {k: written[k] for k in ("workload", "mode", "T", "B", "N", "device", "network", "task")},
            "claimed": planned.claimed.text if planned.claimed else None,
            **_numbers(self.ratio),
            "points": planned.points,
            "fair": {**self.strong.to_json(), "name": planned.strong_name} if self.strong else {},
            "factors": [f.to_json() for f in self.factors],
            "medians": self.medians,
            "met": planned.met,
            "differs": planned.differs,
            "reason": self.problem,
        }


@dataclass(frozen=True)
class Assessment:
    """The verdict on a claim, with the ratio that it rests on. Of a statement `measured` is the worst number, and low and high the range."""

    claim: str
    claimed: str
    measured: float | None
    low: float | None
    high: float | None
    n: int
    verdict: Verdict
    setting: Setting | None
    reason: str
    strong: Factor | None = None
    results: tuple[Result, ...] = ()
    machine: str | None = None
    origin: str | None = None
    records: list[Record] = field(default_factory=list, repr=False)

    def to_json(self) -> AssessmentRow:
        """The row that `reproduce --json` prints."""
        return {
            "claim": self.claim,
            "claimed": self.claimed,
            "measured": self.measured,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "verdict": self.verdict,
            "setting": self.setting,
            "reason": self.reason,
            "machine": self.machine,
            "origin": self.origin,
            "fair": self.strong.to_json() if self.strong else {},
            "points": [r.to_json() for r in self.results],
            "growth": [row.cells for row in self.scaling],
        }

    @property
    def scaling(self) -> list[ScalingRow]:
        """The fit t = a·T + b·T² of each subject that was measured as a layer at more than one length."""
        return scaling_rows([r for r in self.records if r.case["workload"] == "layer"])

    @property
    def head(self) -> Result | None:
        """The planned comparison that the verdict rests on."""
        return next((r for r in self.results if r.ratio), None)

    @property
    def shown(self) -> str:
        """The figure with its interval."""
        if self.head:
            return self.head.shown
        if self.measured is None or self.low is None or self.high is None:
            return "—"
        return f"{self.measured:.2g} in [{self.low:.2g}, {self.high:.2g}], n={self.n}"


def assessments(name: str, claim: Claim, records: Sequence[Record]) -> list[Assessment]:
    """An assessment for each origin whose records say something about the claim, the one with the most pairs first.

    If none of them does, there is one assessment that says why. Records of two origins are never joined.
    """
    parts = by_origin(records)
    found = [_assessed(name, claim, mine, str(origin)) for origin, mine in parts.items()]
    said = [f for f in found if f.measured is not None]
    return sorted(said, key=lambda f: -f.n) or found[:1] or [_assessed(name, claim, [], None)]


def assess(name: str, claim: Claim, records: Sequence[Record]) -> Assessment:
    """The assessment of the origin with the most pairs; see `assessments`."""
    return assessments(name, claim, records)[0]


def _assessed(name: str, claim: Claim, records: Sequence[Record], origin: str | None) -> Assessment:
    """What records of one origin say: the full run if they hold it, else the scaled one."""
    table = Table(records)
    machine = next((str(r.environment.get("machine")) for r in records), None)
    for questions in (claim.full, claim.scaled):
        results = tuple(result_of(q, table) for q in questions if isinstance(q, PlannedComparison))
        mine = [r for q in questions for c in q.cases() for r in table.of(c).values()]
        if any(r.ratio for r in results):
            return replace(_of_comparison(name, claim, results), machine=machine, origin=origin, records=mine)
        for question in questions:
            if isinstance(question, Statement) and (values := _numbers_of(question, table)):
                found = _of_statement(name, claim, question, values)
                return replace(found, machine=machine, origin=origin, records=mine)
    asked = (*claim.full, *claim.scaled)
    problem = next((p for q in asked if any(map(table.of, q.cases())) and (p := _why(q, table))), None)
    reason = claim.absent or problem or f"not measured; `spikebench reproduce {name}` measures it"
    found = Assessment(name, claim.text, None, None, None, 0, "not testable here", None, reason)
    return replace(found, machine=machine, origin=origin)


def _why(question: Question, table: Table) -> str | None:
    return result_of(question, table).problem if isinstance(question, PlannedComparison) else _problem(question, table)


def _problem(question: Question, table: Table) -> str | None:
    return table.problem(question.cases())


def result_of(planned: PlannedComparison, table: Table) -> Result:
    """The figures of a planned comparison, as far as the table holds them."""

    def factor(baseline: str, subject: str) -> Factor | None:
        found = _ratio(planned, table, baseline, subject)
        return Factor(baseline, subject, found, planned.points) if found else None

    steps = [factor(a, b) for a, b in zip(planned.steps, planned.steps[1:], strict=False)]
    values = {s: list(table.values(planned.cases(0, [s])[0], planned.metric).values()) for s in planned.subjects}
    medians = {s: stats.median(found) for s, found in values.items() if found}
    strong = factor(*planned.strong) if planned.strong else None
    ratio = _ratio(planned, table, planned.baseline, planned.candidate)
    return Result(planned, ratio, strong, tuple(f for f in steps if f), medians, _problem(planned, table))


def _ratio(planned: PlannedComparison, table: Table, baseline: str, subject: str) -> stats.Ratio | None:
    """Of layers and networks what `paired.compared` says; the blocks of trainings are their seeds."""
    base, mine = (planned.cases(0, [s])[0] for s in (baseline, subject))
    if not isinstance(planned.case, Training):
        sides = [list(table.of(c).values()) for c in (base, mine)]
        return compared(*sides, metric=planned.metric).ratio if all(sides) else None
    values = [table.values(c, planned.metric) for c in (base, mine)]
    keys = sorted(values[0].keys() & values[1].keys())
    left, right = ([side[k] for k in keys] for side in values)
    if planned.points and keys:
        return _points([100 * (b - a) for a, b in zip(left, right, strict=True)])
    if not keys or min(*left, *right) <= 0:
        return None
    return stats.paired_ratio(right, left) if planned.more else stats.paired_ratio(left, right)


def _points(differences: list[float]) -> stats.Ratio:
    """The mean difference with its t interval."""
    low, high = stats.mean_interval(differences)
    return stats.Ratio(statistics.fmean(differences), low, high, len(differences))


def _numbers_of(s: Statement, table: Table) -> list[float]:
    found = [m for c in s.cases() for r in table.of(c).values() if r.status == "ok" and (m := r.measurement(s.metric))]
    return [
        float(cast(float, m.detail[s.detail]))
        for m in found
        if s.detail in m.detail and (not s.given or m.detail.get(s.given))
    ]


def setting_of(claim: Claim, question: Question) -> Setting:
    """How near the setting of a question is to the published one. Another model of the same kind of device does not count."""
    if question.scaled:
        return "scaled"
    met = claim.known and not question.differs and claim.device in ("any", question.cases()[0].device)
    return "published" if met else "other"


def verdict(ratio: stats.Ratio, claimed: Number, setting: Setting, points: bool = False) -> Verdict:
    """The verdict that an interval gives. `smaller` and `contradicted` are said in the published setting only.

    Fewer than five pairs are inconclusive. So is an interval wider than a factor 2, or, of percentage points, one that
    is wider than the claimed difference.
    """
    if setting == "scaled":
        return "not testable here"
    if unknown(ratio, claimed, points):
        return "inconclusive"
    if ratio.low >= claimed.least:
        return "reproduced"
    if setting != "published":
        return "inconclusive"
    nothing = 0.0 if points else 1.0
    if ratio.high <= nothing:
        return "contradicted"
    return "smaller" if ratio.low > nothing and ratio.high < claimed.value else "inconclusive"


def unknown(ratio: stats.Ratio, claimed: Number, points: bool = False) -> str:
    """Why a figure decides nothing; empty if it may."""
    if ratio.n < FEWEST:
        return f"{ratio.n} pairs, a verdict takes {FEWEST}"
    if points:
        wide, ends = ratio.high - ratio.low > claimed.value, f"{ratio.low:+.1f} to {ratio.high:+.1f} points"
        return f"the interval, {ends}, is wider than the claimed difference" if wide else ""
    ends = f"{units.digits(ratio.low)}x to {units.digits(ratio.high)}x"
    return f"the interval, {ends}, is wider than a factor {WIDEST:g}" if ratio.high > WIDEST * ratio.low else ""


def _of_comparison(name: str, claim: Claim, results: tuple[Result, ...]) -> Assessment:
    head = next(r for r in results if r.ratio)
    planned, ratio = head.planned, head.ratio
    claimed = planned.claimed or claim.claimed
    if ratio is None or claimed is None:
        raise ValueError(f"{name}: a planned comparison needs a published number")
    setting = setting_of(claim, planned)
    reason = "; ".join(filter(None, [unknown(ratio, claimed, planned.points), _reason(claim, planned, setting)]))
    found = verdict(ratio, claimed, setting, planned.points)
    numbers = (claimed.text, ratio.estimate, *ratio.interval, ratio.n)
    return Assessment(name, *numbers, found, setting, reason, head.strong, results)


def _of_statement(name: str, claim: Claim, s: Statement, values: list[float]) -> Assessment:
    setting = setting_of(claim, s)
    few = len(values) < FEWEST
    holds = all(s.holds(v) for v in values)
    failed: Verdict = "contradicted" if setting == "published" else "inconclusive"
    found: Verdict = "not testable here" if s.scaled else "inconclusive" if few else "reproduced" if holds else failed
    worst = max(values) if s.at_most is not None else min(values)
    asked = f"{s.metric} {s.detail} " + (f"≤ {s.at_most:g}" if s.at_most is not None else f"≥ {s.at_least:g}")
    lacking = f"{len(values)} cases, a verdict takes {FEWEST}" if few else ""
    reason = "; ".join(filter(None, [asked, lacking, _reason(claim, s, setting)]))
    numbers = (worst, min(values), max(values), len(values))
    return Assessment(name, claim.text, *numbers, found, setting, reason)


def _reason(claim: Claim, question: Question, setting: Setting) -> str:
    """In what the setting of a question differs from the published one, in words."""
    away = claim.device == "cuda" and question.cases()[0].device == "cpu"
    if setting == "published":
        return ""
    parts = ["a CPU for the GPU" if away else "", question.differs, "" if claim.known else "published setting unknown"]
    return {"scaled": "scaled: ", "other": "other setting: "}[setting] + "; ".join(filter(None, parts))


def _numbers(ratio: stats.Ratio | None) -> Measured:
    if ratio is None:
        return {"measured": None, "low": None, "high": None, "n": 0}
    low, high = ratio.interval
    return {"measured": ratio.estimate, "low": low, "high": high, "n": ratio.n}
