"""The noise floor of a machine: how far A against A strays, per case, from recorded A/A pairs."""

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from spikebench import stats, store
from spikebench.record import Record
from spikebench.rooms import Problem


def floors(records: Iterable[Record], metric: str = "latency") -> dict[str, float]:
    """case_id → the farther end of the 95 % interval of A against A, as a share (0.03: 3 %).

    The two sides of a pair are the two records of one run, case and repeat.
    """
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    blocks: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for r in records:
        found = r.measurement(metric)
        if r.status == "ok" and found and found.samples:
            block = blocks[(r.run, r.case_id, r.repeat)]
            block.append(stats.median(found.samples))
            if len(block) == 2:
                pairs[r.case_id].append((block[0], block[1]))
    return {case: _floor(found) for case, found in pairs.items() if len(found) > 1}


def _floor(pairs: list[tuple[float, float]]) -> float:
    ratio = stats.paired_ratio([a for a, _ in pairs], [b for _, b in pairs])
    return math.expm1(max(abs(math.log(ratio.low)), abs(math.log(ratio.high))))


def recorded(path: Path, metric: str = "latency") -> dict[str, float]:
    """The floors in a file; empty if there is none."""
    try:
        return floors(store.read(path), metric)
    except Problem:
        return {}
