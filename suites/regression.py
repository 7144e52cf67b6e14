"""The `regression` sweep seen by asv: one class per axis, measured once by spikebench's own engine, read per metric.

asv imports this file beside whatever commit it measures: it asks little of spikebench, and nothing of torch.
"""

import math
import statistics
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from spikebench.case import Case
from spikebench.sweeps import regression

Found = dict[str, dict[str, Any]]
F = TypeVar("F", bound=Callable[..., Any])


def axis(case: Case) -> str:
    """The class that a case of the sweep belongs to."""
    if case.mode == "inference":
        return "inference"
    if case.T != 256:
        return "length"
    return "batch" if case.N == 128 else "width"


CASES = {(axis(c), c.subject, c.T, c.B, c.N): c for c in regression()}


def engine(cases: list[Case]) -> Iterable[Any]:
    """Records of cases, each checked and then measured in fresh processes of its own."""
    from spikebench.runner import Settings, run

    return run(cases, Settings(metrics=("latency", "peak_memory", "spike_rate"), samples=10))


def measure(name: str, run: Callable[[list[Case]], Iterable[Any]] = engine) -> Found:
    """Records of an axis as JSON, by case id. What ends the engine costs the case it was at; the rest goes on."""
    cases = [case for (where, *_), case in CASES.items() if where == name]
    found: Found = {}
    while left := [c for c in cases if c.case_id not in found]:
        try:
            for record in run(left):
                found[record.case_id] = record.to_json()
            break
        except (RuntimeError, OSError, ValueError) as error:
            at = next(c for c in left if c.case_id not in found)
            found[at.case_id] = {"status": "failed", "reason": f"{type(error).__name__}: {error}"}
    return found


def samples(found: Found, metric: str, case: Case) -> list[float]:
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
            raise NotImplementedError("the sweep has no such case")

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
    points = [point for where, *point in CASES if where == name]
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
