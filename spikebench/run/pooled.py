"""What several processes measured of one metric, put together as one measurement."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from spikebench.records.record import Measurement


def pooled(measurements: list[Measurement]) -> list[Measurement]:
    """One measurement per metric: what several processes gave stands together, in the order they came.

    In the detail, lists follow one another, numbers become a list, and texts stay as they are. A process that could give
    nothing makes the whole what it says, and the samples of the others stand in the detail.
    """
    found: dict[str, list[Measurement]] = {}
    for m in measurements:
        found.setdefault(m.metric, []).append(m)
    return [_pool(same) if len(same) > 1 else same[0] for same in found.values()]


def _pool(same: list[Measurement]) -> Measurement:
    samples = [v for m in same for v in m.samples]
    detail = _pool_details([m.detail for m in same]) | {"processes": len(same)}
    bad = next((m for m in same if m.status != "ok"), None)
    if bad is None:
        return replace(same[0], samples=samples, detail=detail)
    return replace(bad, samples=[], detail=detail | {"samples": samples})


def _pool_details(details: Sequence[Mapping[str, Any]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key in dict.fromkeys(k for d in details for k in d):
        values = [d[key] for d in details if key in d]
        if all(isinstance(v, list) for v in values):
            made[key] = [entry for v in values for entry in v]
        elif all(isinstance(v, dict) for v in values):
            made[key] = _pool_details(values)
        else:
            made[key] = values[0] if isinstance(values[0], str) and len(set(values)) == 1 else values
    return made
