"""Warnings about the samples of a record. Each says what may mislead, how much, and what to do about it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from spikebench.records.flags import Flag
from spikebench.records.record import Measurement, Record

FEWEST = int(Flag.SAMPLES.threshold)


@dataclass(frozen=True)
class SampleWarning:
    """A warning about samples: its flag, how much of it there is, and what to do."""

    flag: Flag
    what: str
    remedy: str = ""

    @property
    def text(self) -> str:
        """All of it in words, the remedy last."""
        return f"{self.what}: {self.remedy or self.flag.remedy}"


def warnings_of(record: Record, metric: str = "latency") -> list[SampleWarning]:
    """The warnings about a record's samples of a time; none if it has no samples."""
    found = record.measurement(metric)
    if not found or not found.samples:
        return []
    samples = found.samples
    made = [_few(samples), _spread(samples), _drift(samples), _resolution(found), _frequency(found)]
    return [w for w in made if w]


def bimodal(measurements: Sequence[Measurement]) -> bool:
    """Whether the median latency is far above the fastest: some samples met another state of the machine."""
    samples = next((m.samples for m in measurements if m.metric == "latency"), [])
    return bool(samples) and sorted(samples)[len(samples) // 2] > Flag.BIMODAL.threshold * min(samples)


def unsteady(record: Record) -> bool:
    """Whether a record that is ok would better be measured again."""
    passing = {f for f in Flag if f.passing}
    return record.status == "ok" and bool(passing & {*record.flags, *(w.flag for w in warnings_of(record))})


def _few(samples: list[float]) -> SampleWarning | None:
    if len(samples) >= FEWEST:
        return None
    return SampleWarning(Flag.SAMPLES, f"{len(samples)} samples are too few to see a spread")


def _spread(samples: list[float]) -> SampleWarning | None:
    share = _middle_half(samples) / statistics.median(samples) if len(samples) >= FEWEST else 0.0
    if share <= Flag.SPREAD.threshold:
        return None
    return SampleWarning(Flag.SPREAD, f"the middle half of the samples spreads over {share:.0%}")


def _drift(samples: list[float]) -> SampleWarning | None:
    """The halves of a run apart by more than either of them spreads."""
    half = len(samples) // 2
    early, late = samples[:half], samples[half:]
    if half < FEWEST:
        return None
    change = statistics.median(late) / statistics.median(early) - 1
    noise = max(_middle_half(early), _middle_half(late)) / statistics.median(early)
    if abs(change) <= max(Flag.DRIFT.threshold, noise):
        return None
    why = "still warming up, take more --samples" if change < 0 else "heat or a growing state, let the machine cool"
    return SampleWarning(Flag.DRIFT, f"the second half of the samples is {change:+.0%} against the first", why)


def _resolution(found: Measurement) -> SampleWarning | None:
    detail = found.told
    ticks = statistics.median(found.samples) * detail.get("group", 1) / (detail.get("resolution") or 1e-12)
    if ticks >= Flag.RESOLUTION.threshold:
        return None
    return SampleWarning(Flag.RESOLUTION, f"a sample lasts {ticks:.0f} ticks of the timer")


def _frequency(found: Measurement) -> SampleWarning | None:
    before, after = [*(found.told.get("hertz") or []), None, None][:2]
    if not before or not after or abs(after / before - 1) <= Flag.FREQUENCY.threshold:
        return None
    return SampleWarning(Flag.FREQUENCY, f"the CPU's clock went from {before / 1e9:.2f} to {after / 1e9:.2f} GHz")


def _middle_half(samples: list[float]) -> float:
    """Distance between the quartiles."""
    low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
    return high - low
