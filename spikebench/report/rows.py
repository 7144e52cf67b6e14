"""The tables of a report, from records: what was recorded, trainings, reasons, and environments."""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.pairs import WIDEST
from spikebench.analysis.select import medians
from spikebench.cases.subject import CEILING, present, shown
from spikebench.records.origin import apart, by_origin
from spikebench.records.record import Record


@dataclass(frozen=True)
class Facts:
    """How many records, cases and subjects there are, from where and when, and how often each status."""

    records: int
    cases: int
    subjects: int
    machines: str
    days: str
    statuses: list[tuple[str, int]]


def facts(records: Sequence[Record]) -> Facts:
    """What was recorded, where and when."""
    days = sorted({day_of(r) for r in records} - {""})
    return Facts(
        records=len(records),
        cases=len({r.case_id for r in records}),
        subjects=len({str(r.case.get("subject")) for r in records}),
        machines=", ".join(sorted({str(r.environment.get("machine", "unknown")) for r in records})),
        days=days[0] + (f" to {days[-1]}" if len(days) > 1 else "") if days else "unknown",
        statuses=Counter(str(r.status) for r in records).most_common(),
    )


def day_of(r: Record) -> str:
    """The day on which a record was measured; empty if it does not say."""
    seconds = r.environment.get("time")
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}" if isinstance(seconds, int | float) else ""


def trainings(records: Sequence[Record]) -> list[dict[str, str]]:
    """One row per subject, task and origin: mean accuracy over seeds, geometric mean of the seeds' median time per epoch, spike rates.

    Both with their 95 % t interval. Where that of the time is wider than a factor 2, the row has the seeds' times and no mean,
    nor a ratio to it. Beside a ceiling (`train --ceiling`), also the speed-up of an epoch over that of the
    first subject, and the share of the ceiling's that it is.
    """
    parts = by_origin(r for r in records if r.status == "ok")
    several = len(parts) > 1
    rows = ((where, row) for where, part in parts.items() for row in _trainings(part))
    return [row | ({"origin": str(where)} if several else {}) for where, row in rows]


@dataclass(frozen=True)
class Epoch:
    """The geometric mean of the seeds' times per epoch with its 95 % t interval, and the least and the longest of them."""

    mean: float
    ends: tuple[float, float] | None
    least: float
    longest: float

    @staticmethod
    def of(seeds: list[float]) -> "Epoch":
        """That of the median times of some seeds."""
        logs = [math.log(seconds) for seconds in seeds]
        low, high = (math.exp(max(-700.0, min(700.0, end))) for end in stats.mean_interval(logs))
        return Epoch(math.exp(statistics.fmean(logs)), (low, high) if len(seeds) > 1 else None, min(seeds), max(seeds))

    @property
    def known(self) -> bool:
        """Whether the mean is a number to quote: its interval is narrower than a factor 2, or there is one seed alone."""
        return self.ends is None or self.ends[1] <= WIDEST * self.ends[0]

    def over(self, other: "Epoch") -> float | None:
        """How often the other fits into this one; None where either mean is no number."""
        return self.mean / other.mean if self.known and other.known else None

    def __str__(self) -> str:
        mean, least, longest = (units.show(v, "s") for v in (self.mean, self.least, self.longest))
        if not self.known:
            return f"{least} to {longest}, interval wider than a factor 2"
        return mean + (f" [{units.show(self.ends[0], 's')}, {units.show(self.ends[1], 's')}]" if self.ends else "")


def _trainings(records: Sequence[Record]) -> list[dict[str, str]]:
    """The rows of one origin."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        if r.status == "ok" and r.case.get("workload") == "training" and _trained(r):
            task = f"{r.case.get('task')}{r.case.get('network') or ''}"
            groups.setdefault((present(str(r.case["subject"])), task), []).append(r)
    epochs = {key: Epoch.of(medians(group, "epoch_time")) for key, group in groups.items()}
    ceilings = {task: seconds for (subject, task), seconds in epochs.items() if subject == f"{CEILING}@eager"}
    rows: list[dict[str, str]] = []
    for key, group in groups.items():
        subject, task = key
        accuracy = [m.samples[0] for r in group if (m := r.measurement("accuracy"))]
        counts = [len(m.samples) for r in group if (m := r.measurement("epoch_time"))]
        rates = [m.samples for r in group if (m := r.measurement("spike_rate"))]
        low, high = stats.mean_interval(accuracy)
        many = len(group) > 1
        row = {"subject": shown(subject), "seeds": str(len(group))}
        row["epochs"] = f"{min(counts)}-{max(counts)}" if min(counts) < max(counts) else str(counts[0])
        row["accuracy"] = f"{statistics.fmean(accuracy):.1%}" + many * f" [{max(0.0, low):.1%}, {min(1.0, high):.1%}]"
        row["epoch"] = str(epochs[key])
        if ceilings:
            first = next(epoch for (_, t), epoch in epochs.items() if t == task)
            speedup, share = first.over(epochs[key]), ceilings[task].over(epochs[key]) if task in ceilings else None
            row["speed-up"] = f"{speedup:.2f}x" if speedup else "—"
            row["of ceiling"] = f"{share:.0%}" if share else "—"
        row["rate per layer"] = " ".join(
            units.show(statistics.fmean(layer), "1") for layer in zip(*rates, strict=False)
        )
        if any(r.measurement("weight_cosine") for group in groups.values() for r in group):
            row |= _by_scheme(group)
        rows.append(row | {"task": task})
    return rows


def _by_scheme(group: Sequence[Record]) -> dict[str, str]:
    """What only a training by a scheme has, as means over the seeds: tensors of a step, how its gradients lie to BPTT's, steps to the ANN."""
    cosines = [m.samples for r in group if (m := r.measurement("weight_cosine"))]
    held, steps = medians(group, "tensor_memory"), [m for r in group if (m := r.measurement("steps_to_ann"))]
    reached = [v for m in steps for v in m.samples]
    far = f", {len(steps) - len(reached)} of {len(steps)} never" if len(reached) < len(steps) else ""
    return {
        "tensors": units.show(statistics.fmean(held), "B") if held else "—",
        "cosine per layer": " ".join(f"{statistics.fmean(layer):.2f}" for layer in zip(*cosines, strict=False)) or "—",
        "steps to ANN": (f"{statistics.fmean(reached):.3g}" if reached else "—") + far,
    }


def _trained(r: Record) -> bool:
    """Whether a record has what a row is made of."""
    accuracy, seconds = r.measurement("accuracy"), r.measurement("epoch_time")
    return bool(accuracy and accuracy.samples and seconds and seconds.samples and min(seconds.samples) > 0)


def mixed(records: Sequence[Record]) -> Iterator[str]:
    """What differs between records that a reader may want to compare, and what no commit holds."""
    if how := apart(by_origin(records)):
        yield f"the records are of {how}: each has its own tables and figures, and nothing is compared or averaged across them"
    if dirty := sum(r.environment.get("dirty") is not None for r in records):
        yield f"{dirty} records were measured with changes that are in no commit"


@dataclass(frozen=True)
class Reason:
    """A reason, the metric (or "record") and status that it is of, how often it was given, and for which subjects at which T."""

    what: str
    status: str
    reason: str
    count: int
    names: str


def reasons(records: Sequence[Record]) -> list[Reason]:
    """Every reason that a record or a measurement gives, with what it was given for."""
    found: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for r in records:
        name = f"{shown(str(r.case.get('subject')))} T={r.case.get('T')}"
        if r.status != "ok":
            found["record", str(r.status), str(r.reason or "no reason was given")].append(name)
        for m in r.measurements:
            if m.status != "ok":
                found[m.metric, str(m.status), str(m.reason or "no reason was given")].append(name)
    return [Reason(*key, len(names), ", ".join(dict.fromkeys(names))) for key, names in found.items()]


LIVE = (
    "time",
    "load_1min",
    "steal_share",
    "other_cpu",
    "aa_floor",
    "stolen_cpu",
    "tries",
    "lowest_clock_share",
    "throttle_reasons",
)


@dataclass(frozen=True)
class Shared:
    """An environment as named facts, and how many records have it."""

    facts: tuple[tuple[str, str], ...]
    count: int


def environments(records: Sequence[Record]) -> tuple[list[Shared], list[int]]:
    """Each environment once, without what changes from record to record, and which one every record has."""
    each = [tuple((k, text_of(v)) for k, v in r.environment.items() if k not in LIVE) for r in records]
    counts = Counter(each)
    place = {facts: k for k, facts in enumerate(counts)}
    return [Shared(facts, count) for facts, count in counts.items()], [place[facts] for facts in each]


def text_of(value: Any) -> str:
    """What a record holds, as text."""
    if isinstance(value, dict):
        return ", ".join(f"{k} {text_of(v)}" for k, v in value.items())
    return ", ".join(map(text_of, value)) if isinstance(value, list) else "none" if value is None else str(value)
