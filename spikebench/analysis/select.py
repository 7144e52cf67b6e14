"""Selects from records: the median of a metric in a process, the records of a case, and what counts as measured already."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from spikebench.cases.case import LATER_FIELDS, Case, present_id
from spikebench.cases.subject import present
from spikebench.errors import Problem
from spikebench.host import environment
from spikebench.records import store
from spikebench.records.origin import origin
from spikebench.records.record import Record

Key = tuple[str, int]
Environment = Mapping[str, Any]
_POINT = "subject workload mode T B N dtype device rate network task bias allocator autocast".split()


def middle(record: Record, metric: str = "latency") -> float:
    """The median of a metric in a process; NaN where it has no samples."""
    found = record.measurement(metric)
    return float(statistics.median(found.samples)) if found and found.samples else math.nan


def medians(records: Iterable[Record], metric: str = "latency") -> list[float]:
    """The median of a metric in every process that is ok and has samples of it."""
    found = [r.measurement(metric) for r in records if r.status == "ok"]
    return [float(statistics.median(m.samples)) for m in found if m and m.samples]


def from_here(path: Path, here: Environment, anywhere: bool = False) -> list[Record]:
    """The records of a file that count as measured in an environment: its machine, GPU, versions, threads and commit.

    With `anywhere` the machine and its GPU do not matter. Without the file there are none.
    """
    mine, found = _print(here, anywhere), list[Record]()
    with suppress(Problem):
        found += (r for r in store.read(path) if _print(r.environment, anywhere) == mine)
    return found


def elsewhere(path: Path, here: Environment) -> tuple[int, list[str]]:
    """How many records of a file do not count as measured in an environment, and in what they differ from it."""
    others: list[list[str]] = []
    with suppress(Problem):
        others += ([k for k in environment.PRINT if r.environment.get(k) != here.get(k)] for r in store.read(path))
    return sum(map(bool, others)), [k for k in environment.PRINT if any(k in differing for differing in others)]


def _print(facts: Environment, anywhere: bool) -> str:
    return environment.fingerprint({k: v for k, v in facts.items() if not (anywhere and k in ("machine", "gpu"))})


def done(records: Iterable[Record], metrics: Sequence[str] = (), retry: bool = False) -> dict[Key, Record]:
    """The records that make measuring again needless, by case and repeat.

    One is done whatever its status, unless the budget skipped it; with `retry` only what is ok is done. A record that is
    ok has all the metrics.
    """
    return {
        (present_id(r.case, r.case_id), r.repeat): r
        for r in records
        if (r.status == "ok" and {m.metric for m in r.measurements} >= set(metrics))
        or (r.status not in ("ok", "skipped") and not retry)
    }


class Table:
    """Finds the records of a case. Each has a key that names its block: (run, repeat), or the seed of a training."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._rows: dict[tuple[Any, ...], dict[Key, Record]] = {}
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        point, key = _placed(record)
        self._rows.setdefault(point, {})[key] = record

    def of(self, case: Case) -> dict[Key, Record]:
        """The records of a case by block; a training's whatever its seed."""
        fields = LATER_FIELDS | case.to_json() | {"subject": case.subject}
        return self._rows.get(_place(fields.get, "", 0)[0], {})

    def blocks(self, cases: Sequence[Case], metric: str) -> list[Key]:
        """The blocks in which every one of these cases was asked for a metric, whatever came of it."""
        shared = [{k for k, r in self.of(c).items() if r.status != "ok" or r.measurement(metric)} for c in cases]
        return sorted(set[Key].intersection(*shared)) if shared else []

    def values(self, case: Case, metric: str) -> dict[Key, float]:
        """The median of a metric in each block that has it; of spike rates, one per layer, the mean."""
        typical = statistics.fmean if metric == "spike_rate" else statistics.median
        found = {key: r.measurement(metric) for key, r in self.of(case).items() if r.status == "ok"}
        return {key: float(typical(m.samples)) for key, m in found.items() if m and m.samples}

    def problem(self, cases: Iterable[Case]) -> str | None:
        """Why the first case that went wrong did."""
        bad = (r for case in cases for r in self.of(case).values() if r.status != "ok")
        return next((f"{r.case['subject']}: {r.status}: {r.reason}" for r in bad), None)


def by_case(records: Iterable[Record]) -> list[list[Record]]:
    """The processes that measured the same: records of one case and one origin; those of a training whatever its seed."""
    found: dict[Any, list[Record]] = {}
    for record in records:
        found.setdefault((origin(record), _placed(record)[0]), []).append(record)
    return list(found.values())


def _placed(record: Record) -> tuple[tuple[Any, ...], Key]:
    """The case of a record and its block."""
    fields = LATER_FIELDS | record.case | {"subject": present(str(record.case.get("subject")))}
    return _place(fields.get, record.run, record.repeat)


def _place(field: Callable[[str], Any], run: str, repeat: int) -> tuple[tuple[Any, ...], Key]:
    """The case, in which the seed of a training does not count, and the block."""
    point = tuple(field(name) for name in _POINT)
    seed = field("seed")
    return (point, ("seed", seed)) if field("workload") == "training" else ((*point, seed), (run, repeat))
