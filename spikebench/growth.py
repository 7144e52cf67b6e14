"""How time grows with T: the fit t = a·T + b·T² per subject, from recorded processes."""

from collections import defaultdict
from typing import Any

from spikebench import stats, units
from spikebench.record import Record


def growth_rows(records: list[Record]) -> list[dict[str, Any]]:
    """One row per subject, mode, B and N: a, b with its 95 % interval, b·T/a at the longest T, the last exponent."""
    groups: dict[tuple[Any, ...], list[tuple[int, float]]] = defaultdict(list)
    for r in records:
        found = r.measurement("latency")
        if r.status == "ok" and found and found.samples:
            key = tuple(r.case[k] for k in ("subject", "mode", "B", "N"))
            groups[key].append((r.case["T"], stats.median(found.samples)))
    return [_row(key, points) for key, points in groups.items() if len({t for t, _ in points}) > 1 and len(points) > 2]


def _row(key: tuple[Any, ...], points: list[tuple[int, float]]) -> dict[str, Any]:
    fit = stats.growth([t for t, _ in points], [s for _, s in points])
    subject, mode, b, n = key
    ends = f"{min(t for t, _ in points)}…{max(t for t, _ in points)}"
    return {
        "subject": subject,
        "mode": mode,
        "B": b,
        "N": n,
        "T": ends,
        "a": units.show(fit.a, "s"),
        "b": f"{fit.b:.3g} s [{fit.b_low:.3g}, {fit.b_high:.3g}]",
        "bT/a": f"{fit.curvature:.3g} [{fit.curvature_low:.3g}, {fit.curvature_high:.3g}]",
        "last exponent": f"{fit.last_exponent:.3g}",
        "processes": fit.n,
    }
