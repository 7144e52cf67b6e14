"""The noise floor of a machine: how far a subject's ratio to itself strays from 1, for each case, from pairs of `spikebench aa`."""

import math
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from spikebench.analysis import stats
from spikebench.analysis.pairs import sides
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.origin import by_origin
from spikebench.records.record import Record


def floors(records: Iterable[Record], metric: str = "latency", apart: bool = False) -> dict[str, float]:
    """case_id → the farther end of the 95 % interval of A against A, as a share (0.03: 3 %); of several origins the largest.

    The two sides of a pair are the two records of one run, case and repeat. `apart`: the sides are the first and the last
    blocks of each run instead, as for records that were not measured side by side.
    """
    found: dict[str, float] = {}
    for part in by_origin(records).values():
        for case, floor in _of_one(part, metric, apart).items():
            found[case] = max(floor, found.get(case, 0.0))
    return found


def _of_one(records: Iterable[Record], metric: str, apart: bool) -> dict[str, float]:
    """The floors of one origin."""
    blocks: dict[tuple[str, str, int], list[Record]] = defaultdict(list)
    for r in records:
        found = r.measurement(metric)
        if r.status == "ok" and found and found.samples:
            blocks[(r.run, r.case_id, r.repeat)].append(r)
    whole: dict[str, list[list[Record]]] = defaultdict(list)
    for (_, case, _), block in sorted(blocks.items()):
        if len(block) > 1:
            whole[case].append(block)
    ratio = _apart if apart else _beside
    return {case: _farther(ratio(found, metric)) for case, found in whole.items() if len(found) > 1}


def _beside(blocks: list[list[Record]], metric: str) -> stats.Ratio:
    pairs = [sides(block[0], block[1], metric) for block in blocks]
    return stats.paired_ratio([a for a, _ in pairs], [b for _, b in pairs])


def _apart(blocks: list[list[Record]], metric: str) -> stats.Ratio:
    half = len(blocks) // 2
    medians = [[sides(r, r, metric)[0] for block in part for r in block] for part in (blocks[:half], blocks[half:])]
    return stats.unpaired_ratio(medians[0], medians[1])


def _farther(ratio: stats.Ratio) -> float:
    return math.expm1(max(abs(math.log(ratio.low)), abs(math.log(ratio.high))))


def recorded(path: Path, metric: str = "latency", apart: bool = False) -> dict[str, float]:
    """The floors in a file; empty if there is none."""
    try:
        return floors(store.read(path), metric, apart)
    except Problem:
        return {}
