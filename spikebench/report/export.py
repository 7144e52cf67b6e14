"""Records for other tools: CSV and Parquet, Bencher Metric Format, JSON for github-action-benchmark."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from spikebench.analysis import stats
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.origin import by_origin, origin
from spikebench.records.record import Record

LESS_IS_BETTER = ("s", "B", "J")
NANOSECONDS = 1e9  # in which Bencher has its measure `latency`
USUAL = {
    "workload": "layer",
    "dtype": "float32",
    "device": "cpu",
    "rate": 0.3,
    "seed": 0,
    "network": None,
    "task": None,
}


@dataclass(frozen=True)
class Figure:
    """One metric of one case: the median of its processes with the least and the most of them.

    Of a single process, which has no spread, these are the 5th and the 95th percentile of the samples.
    """

    name: str
    metric: str
    unit: str
    value: float
    low: float
    high: float
    processes: int


def write(records: Iterable[Record], to: str, path: Path) -> int:
    """Write records as `csv`, `parquet`, `bencher` or `github`; how many rows or figures. Raises Problem."""
    if to not in FORMATS:
        raise Problem(f"no format {to!r}; there are {', '.join(FORMATS)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FORMATS[to](list(records), path)
    except OSError as error:
        raise Problem(f"cannot write {path}: {error.strerror}; name another file with -o") from error


def _csv(records: list[Record], path: Path) -> int:
    table = store.frame(records)
    for name in table.select_dtypes(exclude="number"):
        table[name] = table[name].map(_cell)
    table.to_csv(path, index=False, encoding="utf-8")
    return len(table)


def _cell(value: object) -> object:
    """A text as a spreadsheet can have it: without control characters, and with a ' before what would begin a formula."""
    if not isinstance(value, str):
        return value
    text = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "\N{REPLACEMENT CHARACTER}", value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t")) else text


def _parquet(records: list[Record], path: Path) -> int:
    if find_spec("pyarrow") is None:
        raise Problem("Parquet needs pyarrow: pip install 'spikebench[parquet]'; or --to csv")
    table = store.frame(records)
    table.to_parquet(path, index=False, engine="pyarrow")
    return len(table)


def _bencher(records: list[Record], path: Path) -> int:
    found: dict[str, dict[str, dict[str, float]]] = defaultdict(dict)
    for f in figures(records):
        scale = NANOSECONDS if f.metric == "latency" else 1.0
        values = {"value": f.value * scale, "lower_value": f.low * scale, "upper_value": f.high * scale}
        found[f.name][f.metric] = values
    return _json(found, path)


def _github(records: list[Record], path: Path) -> int:
    return _json([asdict(_entry(f)) for f in figures(records) if f.unit in LESS_IS_BETTER], path)


@dataclass(frozen=True)
class Entry:
    """An entry of a file of github-action-benchmark, whose names these are."""

    name: str
    unit: str
    value: float
    range: str
    extra: str


def _entry(f: Figure) -> Entry:
    processes = f"{f.processes} process{'es' if f.processes > 1 else ''}"
    return Entry(f"{f.name} {f.metric}", f.unit, f.value, f"{f.low:.6g} to {f.high:.6g}", processes)


def _json(data: Sized, path: Path) -> int:
    if not data:
        raise Problem("no record here is ok and holds samples: there is nothing to export")
    path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return len(data)


FORMATS = {"csv": _csv, "parquet": _parquet, "bencher": _bencher, "github": _github}


def figures(records: Iterable[Record]) -> Iterator[Figure]:
    """The figures of the records that are ok; the seeds of a training are its processes. Origins are kept apart."""
    sides: dict[tuple[str, str, str], list[list[float]]] = defaultdict(list)
    kept = [r for r in records if r.status == "ok"]
    several = len(by_origin(kept)) > 1
    for r in kept:
        name = label(r.case) + (f" on {origin(r)}" if several else "")
        for m in r.measurements:
            if samples := [v for v in m.samples if math.isfinite(v)]:
                sides[name, m.metric, m.unit].append(samples)
    for key, processes in sides.items():
        middle = [stats.median(p) for p in processes]
        ends = (min(middle), max(middle)) if len(middle) > 1 else _percentiles(processes[0])
        yield Figure(*key, stats.median(middle), *ends, len(processes))


def _percentiles(samples: list[float]) -> tuple[float, float]:
    from numpy import quantile

    low, high = quantile(samples, [0.05, 0.95])
    return float(low), float(high)


def label(case: Mapping[str, object]) -> str:
    """A case in words, the same for the same case: what is as usual is left out."""
    if case.get("workload") == "training":
        return " ".join(str(case[k]) for k in ("subject", "task", "network") if case.get(k))
    unusual = [f"{k}={case[k]}" for k, usual in USUAL.items() if case.get(k, usual) != usual]
    return " ".join([str(case.get("subject")), str(case.get("mode")), *(f"{k}={case.get(k)}" for k in "TBN"), *unusual])
