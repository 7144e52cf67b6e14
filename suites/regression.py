"""The `regression` sweep seen by asv: one class per axis, measured once by spikebench's own engine, read per metric.

asv imports this file beside whatever commit it measures: it takes public names of spikebench only, but where a commit had
not got one yet, and nothing of torch. A benchmark is known by its name, version and sizes: where they stay, its history does.
"""

import hashlib
import json
import math
import re
import statistics
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import spikebench as sb

Found = dict[str, dict[str, Any]]
F = TypeVar("F", bound=Callable[..., Any])
KEPT = (
    Path(__file__).parents[1] / ".asv" / "kept"
)  # `spikebench asv run` makes it, and removes it when asv has saved its results
METRICS = ("latency", "peak_memory", "spike_rate")


def sweep(name: str) -> list[sb.Case]:
    """The cases of a sweep; none where a commit does not have it."""
    if hasattr(sb, "sweep"):
        return sb.sweep(name)
    from spikebench import sweeps  # before there was a public name

    return getattr(sweeps, name, list)()


def axis(case: sb.Case) -> str:
    """The class that a case of the sweep belongs to."""
    if case.device == "cuda":
        return "cuda"
    if case.mode == "inference":
        return "inference"
    if case.T != 256:
        return "length"
    return "batch" if case.N == 128 else "width"


def by_point(cases: list[sb.Case]) -> dict[tuple[Any, ...], sb.Case]:
    """Cases by their axis and sizes."""
    return {(axis(c), c.subject, c.T, c.B, c.N): c for c in cases}


CASES = by_point(sweep("regression"))
# asv keeps the sizes of all machines in one file: those that take a GPU are named everywhere and measured where there is one
SIZES = CASES | by_point(sweep("cuda_regression"))


def engine(cases: list[sb.Case], out: Path, metrics: tuple[str, ...] = METRICS) -> None:
    """Checks cases and measures them in fresh processes of their own; each record is a line of `out` once it is there."""
    sb.run(cases, out=out, resume=True, metrics=metrics, samples=10)


def asked(name: str, kept: Path = KEPT) -> tuple[list[sb.Case], tuple[str, ...]]:
    """The cases of an axis and the metrics that `asv run --bench` names; all of them where it names none."""
    cases = [case for (where, *_), case in CASES.items() if where == name]
    said = kept / "bench.json"
    patterns = json.loads(said.read_text(encoding="utf-8")) if said.exists() else []

    def named(metric: str, case: sb.Case) -> bool:
        benchmark = f"regression.{name.capitalize()}.track_{metric}"
        point = ", ".join(map(repr, (case.subject, case.T, case.B, case.N)))
        return not patterns or any(
            re.search(p, text) for p in patterns for text in (benchmark, f"{benchmark}({point})")
        )

    metrics = tuple(m for m in METRICS if any(named(m, c) for c in cases))
    return [c for c in cases if any(named(m, c) for m in metrics)], metrics


@contextmanager
def records_of(name: str, kept: Path = KEPT) -> Iterator[Path]:
    """The file of an axis' records: in `kept`, named by the code that is measured, so that the next run goes on; else a passing one."""
    with TemporaryDirectory() as passing:
        digest = hashlib.sha256()
        for path in sorted(Path(sb.__path__[0]).rglob("*.py")):
            digest.update(path.read_bytes())
        out = (kept if kept.exists() else Path(passing)) / f"{name}-{digest.hexdigest()[:12]}.jsonl"
        out.touch()
        yield out


def measure(name: str, run: Callable[..., object] = engine, kept: Path = KEPT) -> Found:
    """Records of an axis as JSON, by case id. What ends the engine costs the case it was at; the rest goes on."""
    found: Found = {}
    cases, metrics = asked(name, kept)
    with records_of(name, kept) as out:
        while left := [c for c in cases if c.case_id not in found]:
            try:
                run(left, out, metrics)
                found |= _read(out)
                break
            except (RuntimeError, OSError, ValueError) as error:
                found |= _read(out)
                at = next((c for c in left if c.case_id not in found), None)
                if at is not None:
                    found[at.case_id] = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
    return found


def _read(out: Path) -> Found:
    """The records of a file by case; a line that was cut off when a run was killed is left out."""
    found: Found = {}
    for line in out.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):
            record = json.loads(line)
            found[record["case_id"]] = record
    return found


def samples(found: Found, metric: str, case: sb.Case) -> list[float]:
    """Samples in SI units, none if the metric is unavailable here; RuntimeError for a case that has no numbers."""
    record = found.get(case.case_id, {"status": "lost", "reason": "the engine gave no record"})
    if record["status"] != "ok":
        raise RuntimeError(f"{case.subject} T={case.T} B={case.B} N={case.N}: {record['status']}: {record['reason']}")
    return next((m["samples"] for m in record["measurements"] if m["metric"] == metric), [])


def _facts(**facts: Any) -> Callable[[F], F]:
    """asv reads units and time-outs from attributes of functions."""

    def mark(function: F) -> F:
        vars(function).update(facts)
        return function

    return mark


class _Axis:
    """Cases along one axis. Sizes are parameters of their own: asv draws curves over numbers, not over tuples."""

    where: str
    version = "1"
    timeout = 60
    param_names = ("subject", "T", "B", "N")

    def setup(self, found: Found, subject: str, T: int, B: int, N: int) -> None:
        if (self.where, subject, T, B, N) not in CASES:
            raise NotImplementedError("the sweep has no such case here")

    @_facts(unit="seconds")
    def track_latency(self, found: Found, subject: str, T: int, B: int, N: int) -> dict[str, Any]:
        # in this form asv takes them for the samples of a timing of its own
        return {"samples": samples(found, "latency", CASES[self.where, subject, T, B, N]), "number": 1}

    @_facts(unit="bytes")
    def track_peak_memory(self, found: Found, subject: str, T: int, B: int, N: int) -> float:
        return _median(samples(found, "peak_memory", CASES[self.where, subject, T, B, N]))

    @_facts(unit="spikes per neuron and step")
    def track_spike_rate(self, found: Found, subject: str, T: int, B: int, N: int) -> float:
        return _median(samples(found, "spike_rate", CASES[self.where, subject, T, B, N]))


def _median(values: list[float]) -> float:
    """NaN, which asv shows as n/a, for what this machine cannot measure."""
    return statistics.median(values) if values else math.nan


def _parameters(name: str) -> list[list[Any]]:
    """Per parameter its values along an axis, in the order of the sweep."""
    points = [point for where, *point in SIZES if where == name]
    return [list(dict.fromkeys(p[k] for p in points)) for k in range(len(_Axis.param_names))]


# asv knows a setup_cache by its line: one written in _Axis would be run once for all axes, and its failure shared


class Length(_Axis):
    """Time steps, training."""

    where = "length"
    params = _parameters(where)

    @_facts(timeout=1800)
    def setup_cache(self) -> Found:
        return measure(self.where)


class Batch(_Axis):
    """Batch items, training."""

    where = "batch"
    params = _parameters(where)

    @_facts(timeout=1800)
    def setup_cache(self) -> Found:
        return measure(self.where)


class Width(_Axis):
    """Neurons, training."""

    where = "width"
    params = _parameters(where)

    @_facts(timeout=1800)
    def setup_cache(self) -> Found:
        return measure(self.where)


class Inference(_Axis):
    """One size, inference."""

    where = "inference"
    params = _parameters(where)

    @_facts(timeout=1800)
    def setup_cache(self) -> Found:
        return measure(self.where)


if _parameters("cuda")[0]:

    class Cuda(_Axis):
        """Time steps, and a batch that fills a GPU, training on one."""

        where = "cuda"
        params = _parameters(where)

        @_facts(timeout=1800)
        def setup_cache(self) -> Found:
            return measure(self.where)
