"""Warnings about the samples of a record. Each says what may mislead, how much, and what to do about it."""

import statistics
from dataclasses import dataclass
from typing import Any

from spikebench.records.record import Record

SPREAD, DRIFT, FEWEST, TICKS, CLOCK = 0.1, 0.05, 5, 100, 0.05
UNSTEADY = {"contended", "stolen", "shared_gpu", "throttled", "bimodal"}  # flags that another try may not have


@dataclass(frozen=True)
class SampleWarning:
    """A warning about samples: its kind, and a sentence that says how much and what to do."""

    kind: str
    text: str


def warnings_of(record: Record, metric: str = "latency") -> list[SampleWarning]:
    """The warnings about a record's samples of a time; none if it has no samples."""
    found = record.measurement(metric)
    samples = found.samples if found else []
    if not found or not samples:
        return []
    made = [
        _few(samples),
        _spread(samples),
        _drift(samples),
        _resolution(samples, found.detail),
        _frequency(found.detail),
    ]
    return [w for w in made if w]


def unsteady(record: Record) -> bool:
    """Whether a record that is ok would better be measured again."""
    again = {"spread", "drift", "frequency"}
    return record.status == "ok" and bool(UNSTEADY & set(record.flags) or again & {w.kind for w in warnings_of(record)})


def _few(samples: list[float]) -> SampleWarning | None:
    if len(samples) >= FEWEST:
        return None
    return SampleWarning(
        "samples", f"{len(samples)} samples are too few to see a spread: take at least --samples {FEWEST}"
    )


def _spread(samples: list[float]) -> SampleWarning | None:
    share = _middle_half(samples) / statistics.median(samples) if len(samples) >= FEWEST else 0.0
    if share <= SPREAD:
        return None
    return SampleWarning(
        "spread", f"the middle half of the samples spreads over {share:.0%}: stop what else is running"
    )


def _drift(samples: list[float]) -> SampleWarning | None:
    """The halves of a run apart by more than either of them spreads."""
    half = len(samples) // 2
    early, late = samples[:half], samples[half:]
    if half < FEWEST:
        return None
    change = statistics.median(late) / statistics.median(early) - 1
    noise = max(_middle_half(early), _middle_half(late)) / statistics.median(early)
    if abs(change) <= max(DRIFT, noise):
        return None
    why = "still warming up, take more --samples" if change < 0 else "heat or a growing state, let the machine cool"
    return SampleWarning("drift", f"the second half of the samples is {change:+.0%} against the first: {why}")


def _resolution(samples: list[float], detail: dict[str, Any]) -> SampleWarning | None:
    ticks = statistics.median(samples) * detail.get("group", 1) / (detail.get("resolution") or 1e-12)
    if ticks >= TICKS:
        return None
    return SampleWarning("resolution", f"a sample lasts {ticks:.0f} ticks of the timer: measure a larger case")


def _frequency(detail: dict[str, Any]) -> SampleWarning | None:
    before, after = [*(detail.get("hertz") or []), None, None][:2]
    if not before or not after or abs(after / before - 1) <= CLOCK:
        return None
    remedy = "fix it (cpupower frequency-set -g performance)"
    return SampleWarning(
        "frequency", f"the CPU's clock went from {before / 1e9:.2f} to {after / 1e9:.2f} GHz: {remedy}"
    )


def _middle_half(samples: list[float]) -> float:
    """Distance between the quartiles."""
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return high - low
