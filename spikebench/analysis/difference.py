"""Compares two files of records case by case: the process medians of one against those of the other."""

import math
from collections import defaultdict
from typing import Any

from spikebench.analysis import stats
from spikebench.analysis.select import medians
from spikebench.errors import Problem
from spikebench.records.origin import apart, by_origin
from spikebench.records.record import Record

SAME = ("machine", "gpu", "threads", "placement", "isolation")


def rows(
    base: list[Record], new: list[Record], metric: str, floors: dict[str, float], anyway: bool = False
) -> list[dict[str, Any]]:
    """One row per case that both sides have, as `compare --json` prints; ratio > 1: the new side is better.

    The interval is Welch's on the logs of process medians; q is the false discovery rate over the cases, and
    `over_cases` their geometric mean, with the number of cases that one side did not complete. Raises Problem naming what differs between the machines of
    the two sides, unless `anyway`; then the reason of every row says it.
    A side of several origins is refused alike; with `anyway` its newest is compared.
    """
    differs, mixed = _differs(base, new), [_several(side, which) for side, which in ((base, "first"), (new, "second"))]
    base, new = (next(iter(by_origin(side).values()), []) for side in (base, new))
    if any(mixed) and not anyway:
        raise Problem(
            f"{'; '.join(filter(None, mixed))}; use --anyway to compare the newest of each, or give files of one"
        )
    differs += filter(None, mixed)
    if differs and not anyway:
        raise Problem(f"these runs cannot be compared: {'; '.join(differs)}; use --anyway to see them side by side")
    sides = [_medians(side, metric) for side in (base, new)]
    shared = [c for c in sides[0] if c in sides[1]]
    if not shared:
        raise Problem(
            f"no case with {metric} is ok on both sides; {len(sides[0])} on the first, {len(sides[1])} on the second"
        )
    cases = {r.case_id: r.case for r in [*base, *new]}
    note = "; ".join(differs) or None
    found = [_row(cases[c], sides[0][c], sides[1][c], metric, floors.get(c, 0.0), note) for c in shared]
    alone = len({r.case_id for r in [*base, *new]}) - len(shared)
    mean = stats.over_cases([*(row["ratio"] for row in found), *[None] * alone])
    for row, q in zip(found, stats.false_discovery([row["p"] for row in found]), strict=True):
        row |= {"q": q, "verdict": stats.confirmed(row["verdict"], q), "over_cases": mean if len(found) > 1 else None}
    return found


def _row(
    case: dict[str, Any], base: list[float], new: list[float], metric: str, floor: float, note: str | None
) -> dict[str, Any]:
    ratio = stats.unpaired_ratio(base, new)
    low, high = (ratio.low, ratio.high) if ratio.n > 1 else (None, None)
    numbers = {"ratio": ratio.estimate, "low": low, "high": high, "n": ratio.n}
    names = {"subject": case["subject"], "baseline": case["subject"], "case": case, "metric": metric}
    interval = {k: v if v is None or math.isfinite(v) else None for k, v in numbers.items()}
    return {**names, **interval, "verdict": stats.verdict(ratio, floor), "status": "ok", "reason": note, "p": ratio.p}


def _medians(records: list[Record], metric: str) -> dict[str, list[float]]:
    found: dict[str, list[Record]] = defaultdict(list)
    for r in records:
        found[r.case_id].append(r)
    return {case: values for case, same in found.items() if (values := medians(same, metric))}


def _several(side: list[Record], which: str) -> str:
    """That a side is of several origins, of which only the newest is compared; empty if it is not."""
    origins = list(by_origin(side))
    return f"the {which} run holds {apart(origins)}, the newest {origins[0]}" if len(origins) > 1 else ""


def _differs(base: list[Record], new: list[Record]) -> list[str]:
    """What is not the same on both sides, in words."""
    found: list[str] = []
    for key in SAME:
        left, right = ({str(r.environment.get(key)) for r in side if r.environment} for side in (base, new))
        if left != right:
            found.append(f"{key} {', '.join(sorted(left))} against {', '.join(sorted(right))}")
    schemas = [{r.schema for r in side} for side in (base, new)]
    return [*found, f"schema {schemas[0]} against {schemas[1]}"] if schemas[0] != schemas[1] else found
