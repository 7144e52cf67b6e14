"""Sums up a GPU session: as JSON, and as a table of at most 60 lines."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from spikebench import claim as claims
from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.paired import compared
from spikebench.cases.case import Case
from spikebench.claim import PlannedComparison
from spikebench.host import environment
from spikebench.records.record import Record

LINES = 60
UNITS = {"latency": "s", "device_time": "s", "bandwidth": "1", "energy": "J", "peak_memory": "B"}  # what a line shows


@dataclass(frozen=True)
class NotOk:
    """A record that is not ok: its subject, the id of its case, its status and the reason."""

    subject: str
    case: str
    status: str
    reason: str | None


@dataclass(frozen=True)
class Published:
    """What a claim says, and the ratio that was found so far."""

    claim: str
    says: str
    found: str


@dataclass(frozen=True)
class Measured:
    """A case that was measured in so many processes: the median of each metric over them, in SI units."""

    case: Case
    processes: int
    medians: Mapping[str, float]

    def to_json(self) -> Mapping[str, str | float]:
        """The row of the summary's file."""
        c = self.case
        sizes = {"subject": c.subject, "mode": c.mode, "T": c.T, "B": c.B, "N": c.N, "dtype": c.dtype}
        return sizes | {"processes": self.processes} | dict(self.medians)

    def line(self) -> str:
        """The row that is printed."""
        name, _, backend = self.case.subject.rpartition("@")
        short = self.case.subject if len(self.case.subject) < 40 else f"{name.partition('[')[0]}[…]@{backend}"
        mode = f" {self.case.mode}" if self.case.mode != "train" else ""
        values = [f"{k} {units.show(self.medians[k], u)}" for k, u in UNITS.items() if k in self.medians]
        return f"{short} T={self.case.T} B={self.case.B} N={self.case.N}{mode}: {', '.join(values)}"


@dataclass(frozen=True)
class Summary:
    """What a GPU session gave: how many records of each status, what is not ok, the claims so far, and the medians."""

    machine: str
    records: Mapping[str, int]
    not_ok: Sequence[NotOk]
    claims: Sequence[Published]
    medians: Sequence[Measured]

    def to_json(self) -> dict[str, object]:
        """The part of the summary's file that the records give."""
        return {
            "machine": self.machine,
            "records": self.records,
            "not_ok": [asdict(row) for row in self.not_ok],
            "claims": [asdict(row) for row in self.claims],
            "medians": [row.to_json() for row in self.medians],
        }


def summary(records: Iterable[Record]) -> Summary:
    """What the records of a session say together."""
    found = list(records)
    states = [r.status for r in found]
    bad = [NotOk(str(r.case["subject"]), r.case_id, r.status, r.reason) for r in found if r.status != "ok"]
    counts = {s: states.count(s) for s in dict.fromkeys(states)}
    return Summary(environment.machine(), counts, bad, ratios(found), medians(found))


def medians(records: Sequence[Record]) -> list[Measured]:
    """One row per case that was measured: the median over its processes of the median of each metric."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        if any(m.samples for m in r.measurements):
            groups[r.case_id].append(r)
    rows: list[Measured] = []
    for same in groups.values():
        values: dict[str, list[float]] = defaultdict(list)
        for m in (m for r in same for m in r.measurements if m.samples):
            values[m.metric].append(stats.median(m.samples))
        case = Case.from_json(same[0].case)
        rows.append(Measured(case, len(same), {k: stats.median(v) for k, v in values.items()}))
    return rows


def ratios(records: Sequence[Record]) -> list[Published]:
    """The ratio for each published figure, from the pairs so far. The verdicts come from `spikebench reproduce --from`."""
    by_case: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        by_case[r.case_id].append(r)
    rows: list[Published] = []
    for name, claim in claims.every():
        for question in claim.full:
            if not isinstance(question, PlannedComparison) or question.case.workload == "training":
                continue
            sides = (question.cases(0, [s])[0] for s in (question.baseline, question.candidate))
            base, other = (by_case.get(c.case_id, []) for c in sides)
            found = compared(base, other, question.metric) if base and other else None
            if found and found.ratio:
                text = units.ratio(found.ratio.estimate, found.ratio.low, found.ratio.high, found.n)
                said = question.claimed or claim.claimed
                rows.append(Published(f"{name} T={question.case.T}", said.text if said else "exact", text))
    return rows


def lines(made: Summary, spent: Mapping[str, float], left_out: Mapping[str, Sequence[str]]) -> list[str]:
    """The summary to print: stages, what went wrong, claims, the timed cases; at most LINES lines."""
    found = [f"{name}: {seconds:.0f} s" for name, seconds in spent.items()]
    found = ["; ".join(found), "records: " + ", ".join(f"{n} {s}" for s, n in made.records.items())]
    found += [f"not reached of {name}: {len(cases)} ({cases[0]} first)" for name, cases in left_out.items()]
    found += [f"{b.status}: {b.subject[:70]} ({b.reason})"[:160] for b in made.not_ok[:8]]
    found += [f"{c.claim}: {c.found} (published {c.says})" for c in made.claims[:10]]
    found += [row.line() for row in made.medians]
    hidden = len(found) - LINES + 1
    return found if hidden <= 1 else [*found[: LINES - 1], f"and {hidden} more cases in the records"]
