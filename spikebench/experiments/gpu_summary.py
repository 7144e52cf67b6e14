"""Sums up a GPU session: as JSON, and as a table of at most 60 lines."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from spikebench import claim as claims
from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.paired import compared
from spikebench.claim import PlannedComparison
from spikebench.host import environment
from spikebench.records.record import Record

LINES = 60
Ratio = tuple[str, str, str]  # a claim, what it says, and what was found


def summary(records: Iterable[Record]) -> dict[str, Any]:
    """How many records of each status, what is not ok and why, the median of every metric (SI units)."""
    found = list(records)
    states = [r.status for r in found]
    bad = [{"subject": r.case["subject"], "case": r.case_id, "status": r.status, "reason": r.reason} for r in found]
    return {
        "machine": environment.machine(),
        "records": {s: states.count(s) for s in dict.fromkeys(states)},
        "not_ok": [b for b in bad if b["status"] != "ok"],
        "claims": [dict(zip(("claim", "says", "found"), row, strict=True)) for row in ratios(found)],
        "medians": medians(found),
    }


def medians(records: Sequence[Record]) -> list[dict[str, Any]]:
    """One row per case that was measured: the median over its processes of the median of each metric."""
    groups: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        if any(m.samples for m in r.measurements):
            groups[r.case_id].append(r)
    rows: list[dict[str, Any]] = []
    for same in groups.values():
        values: dict[str, list[float]] = defaultdict(list)
        for m in (m for r in same for m in r.measurements if m.samples):
            values[m.metric].append(stats.median(m.samples))
        sizes = {k: same[0].case[k] for k in ("subject", "mode", "T", "B", "N", "dtype")}
        rows.append(sizes | {"processes": len(same)} | {k: stats.median(v) for k, v in values.items()})
    return rows


def ratios(records: Sequence[Record]) -> list[Ratio]:
    """The ratio for each published figure, from the pairs so far. The verdicts come from `spikebench reproduce --from`."""
    by_case: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        by_case[r.case_id].append(r)
    rows: list[Ratio] = []
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
                rows.append((f"{name} T={question.case.T}", said.text if said else "exact", text))
    return rows


def lines(made: dict[str, Any], spent: dict[str, float], left_out: dict[str, list[str]]) -> list[str]:
    """The summary to print: stages, what went wrong, claims, the timed cases; at most LINES lines."""
    found = [f"{name}: {seconds:.0f} s" for name, seconds in spent.items()]
    found = ["; ".join(found), "records: " + ", ".join(f"{n} {s}" for s, n in made["records"].items())]
    found += [f"not reached of {name}: {len(cases)} ({cases[0]} first)" for name, cases in left_out.items()]
    found += [f"{b['status']}: {b['subject'][:70]} ({b['reason']})"[:160] for b in made["not_ok"][:8]]
    found += [f"{c['claim']}: {c['found']} (published {c['says']})" for c in made["claims"][:10]]
    found += [_row(row) for row in made["medians"]]
    hidden = len(found) - LINES + 1
    return found if hidden <= 1 else [*found[: LINES - 1], f"and {hidden} more cases in the records"]


def _row(row: dict[str, Any]) -> str:
    name = (
        row["subject"]
        if len(row["subject"]) < 40
        else row["subject"].partition("[")[0] + "[…]@" + row["subject"].rpartition("@")[2]
    )
    case = f"{name} T={row['T']} B={row['B']} N={row['N']}" + (f" {row['mode']}" if row["mode"] != "train" else "")
    units_of = {"latency": "s", "device_time": "s", "bandwidth": "1", "energy": "J", "peak_memory": "B"}
    values = [f"{k} {units.show(row[k], u)}" for k, u in units_of.items() if k in row]
    return f"{case}: " + ", ".join(values)
