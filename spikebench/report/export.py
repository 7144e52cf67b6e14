"""Records for other tools: CSV and Parquet, Bencher Metric Format, JSON of github-action-benchmark and of pytest-benchmark."""

import json
import math
import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spikebench.analysis import stats
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.origin import by_origin, origin
from spikebench.records.record import Record

if TYPE_CHECKING:
    import pandas as pd

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
    table = safe_table(records)
    table.to_csv(path, index=False, encoding="utf-8")
    return len(table)


def safe_table(records: Sequence[Record]) -> "pd.DataFrame":
    """A row for every sample, with texts that a spreadsheet can have."""
    table = store.frame(records)
    for name in table.select_dtypes(exclude="number"):
        table[name] = table[name].map(safe)
    return table


def safe(value: object) -> object:
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


def _pytest(records: list[Record], path: Path) -> int:
    """The file of `pytest --benchmark-json`, one benchmark per case and origin, with the samples of all its processes."""
    sides: dict[tuple[str, str], list[Record]] = defaultdict(list)
    kept = [r for r in records if r.status == "ok" and (m := r.measurement("latency")) and m.samples]
    for r in kept:
        sides[label(r.case), str(origin(r))].append(r)
    several = len(by_origin(kept)) > 1
    found = [_benchmark(f"{name} on {where}" if several else name, group) for (name, where), group in sides.items()]
    if not found:
        return _json(found, path)
    e, now = kept[0].environment, [str(r.environment["time"]) for r in kept if "time" in r.environment]
    machine = {
        "node": e.get("machine"),
        "processor": e.get("cpu"),
        "system": e.get("os"),
        "cpu": {"brand_raw": e.get("cpu")},
    }
    commit = {"id": e.get("commit"), "dirty": bool(e.get("dirty"))}
    head = {"machine_info": machine, "commit_info": commit, "datetime": max(now, default=""), "version": "5.0.0"}
    _json(head | {"benchmarks": found}, path)
    return len(found)


def _benchmark(name: str, group: list[Record]) -> dict[str, object]:
    """A benchmark as pytest-benchmark writes it; all numbers of `stats` are those of the pooled samples in seconds."""
    case = group[0].case
    data = [v for r in group if (m := r.measurement("latency")) for v in m.samples]
    q1, q3 = _percentiles(data, 0.25, 0.75)
    mean, middle, sorted_ = statistics.fmean(data), stats.median(data), sorted(data)
    deviation = statistics.stdev(data) if len(data) > 1 else 0.0
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    within = [v for v in sorted_ if low <= v <= high]
    far = sum(abs(v - mean) > deviation for v in data)
    numbers = {
        "min": sorted_[0],
        "max": sorted_[-1],
        "mean": mean,
        "stddev": deviation,
        "median": middle,
        "total": sum(data),
    }
    numbers |= {"iqr": q3 - q1, "q1": q1, "q3": q3, "ld15iqr": within[0], "hd15iqr": within[-1], "ops": 1 / mean}
    counts = {"rounds": len(data), "iterations": 1, "iqr_outliers": len(data) - len(within), "stddev_outliers": far}
    about = {"processes": len(group), "case_id": group[0].case_id, "run": group[0].run, "origin": str(origin(group[0]))}
    return {
        "group": None,
        "name": name,
        "fullname": name,
        "params": {k: case[k] for k in ("T", "B", "N")},
        "param": None,
        "extra_info": about,
        "options": {"disable_gc": True},
        "stats": numbers | counts | {"outliers": f"{far};{len(data) - len(within)}", "data": data},
    }


def _json(data: Sized, path: Path) -> int:
    if not data:
        raise Problem("no record here is ok and holds samples: there is nothing to export")
    path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return len(data)


FORMATS = {"csv": _csv, "parquet": _parquet, "bencher": _bencher, "github": _github, "pytest-benchmark": _pytest}


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
        ends = (min(middle), max(middle)) if len(middle) > 1 else _percentiles(processes[0], 0.05, 0.95)
        yield Figure(*key, stats.median(middle), *ends, len(processes))


def _percentiles(samples: list[float], *shares: float) -> tuple[float, float]:
    from numpy import quantile

    low, high = quantile(samples, shares)
    return float(low), float(high)


def label(case: Mapping[str, object]) -> str:
    """A case in words, the same for the same case: what is as usual is left out."""
    if case.get("workload") == "training":
        return " ".join(str(case[k]) for k in ("subject", "task", "network") if case.get(k))
    sizes = [f"{k}={case.get(k)}" for k in "TBN"]
    return " ".join([str(case.get("subject")), str(case.get("mode")), *sizes, *unusual(case)])


def unusual(case: Mapping[str, object], but: str = "") -> list[str]:
    """The fields of a case that are not as usual, but for one."""
    return [f"{k}={case[k]}" for k, usual in USUAL.items() if k != but and case.get(k, usual) != usual]
