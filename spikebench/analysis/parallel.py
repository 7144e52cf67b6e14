"""Speed, accuracy and agreement with the LIF side by side: what a neuron costs and gives beside the fused LIF."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spikebench import units
from spikebench.analysis import stats
from spikebench.analysis.agreement import RESETS, agreement_rows
from spikebench.analysis.paired import by_origin, compared
from spikebench.analysis.printed import Cells
from spikebench.cases.subject import parse_subject, shown
from spikebench.errors import Problem
from spikebench.records.record import Record

BASELINE, RATE, TASK = "lif@fused", 0.1, "fsdd"
Sizes = tuple[int, int, int, str]  # T, B, N, device


@dataclass(frozen=True)
class ParallelRow:
    """A subject's training step against that of the fused LIF in the same blocks, and what its neuron gives elsewhere.

    `accuracy` has the last test accuracy of every seed on FSDD, `differ` the share of spikes that differ from those of the
    LIF that the neuron stands for, with soft and hard reset, at a rate of 0.1 and the neuron's usual options.
    """

    subject: str
    sizes: Sizes
    seconds: float
    ratio: stats.Ratio
    accuracy: tuple[float, ...]
    differ: tuple[float, float] | None

    @property
    def cells(self) -> Cells:
        """The row below its headings."""
        T, B, N, _ = self.sizes
        r, shares = self.ratio, ("—", "—") if self.differ is None else [f"{v:.0%}" for v in self.differ]
        return {
            "subject": shown(self.subject),
            "T": T,
            "B": B,
            "N": N,
            "time": units.show(self.seconds, "s"),
            "speed-up": units.ratio(r.estimate, r.low, r.high, r.n),
            "accuracy": _accuracy(self.accuracy),
            **{f"differ ({k})": v for k, v in zip(RESETS, shares, strict=True)},
        }


def parallel_rows(records: Sequence[Record]) -> list[ParallelRow]:
    """A row per subject and sizes that was trained as a layer in blocks with the fused LIF, the fastest of each length first.

    Ratios are of one origin, that with the most pairs; accuracy and agreement are of whatever origin has them.
    """
    steps: dict[Sizes, list[Record]] = defaultdict(list)
    for r in records:
        if r.case["workload"] == "layer" and r.case["mode"] == "train":
            steps[r.case["T"], r.case["B"], r.case["N"], r.case["device"]].append(r)
    right, near = _accuracies(records), _near(list(records))
    made: list[ParallelRow] = []
    for sizes, mine in sorted(steps.items()):
        found = [(s, _against(mine, s, sizes[3])) for s in dict.fromkeys(str(r.case["subject"]) for r in mine)]
        rows = [
            ParallelRow(s, sizes, seconds, ratio, right.get(_neuron(s), ()), near.get(_neuron(s)))
            for s, (seconds, ratio) in ((s, best) for s, best in found if best)
        ]
        made += sorted(rows, key=lambda row: -row.ratio.estimate)
    return made


def _against(records: list[Record], subject: str, device: str) -> tuple[float, stats.Ratio] | None:
    """The median time of a subject and its ratio to the baseline, in the origin where they share most blocks."""
    baseline = str(parse_subject(BASELINE, device))
    found: list[tuple[float, stats.Ratio]] = []
    for part in by_origin(records).values():
        base, mine = ([r for r in part if r.case["subject"] == s] for s in (baseline, subject))
        if subject != baseline and base and mine and (result := compared(base, mine)).ratio:
            found.append((result.medians[1], result.ratio))
    return max(found, key=lambda pair: pair[1].n, default=None)


def _accuracies(records: Sequence[Record]) -> Mapping[str, tuple[float, ...]]:
    """The last accuracy of every seed by neuron with its options, of trainings by one task's own recipe; of its backends that with most seeds."""
    found: dict[str, dict[int, float]] = defaultdict(dict)
    for r in records:
        if (
            r.case["workload"] == "training"
            and (r.case["task"], r.case["network"]) == (TASK, None)
            and r.status == "ok"
        ):
            m = r.measurement("accuracy")
            if m is not None and m.samples:
                found[str(r.case["subject"])][r.case["seed"]] = float(m.samples[-1])
    return {_neuron(s): tuple(of.values()) for s, of in sorted(found.items(), key=lambda item: len(item[1]))}


def _near(records: list[Record]) -> Mapping[str, tuple[float, float]]:
    """The shares of spikes that differ, by neuron with its options."""
    return {_neuron(row.subject): row.differ for row in agreement_rows(records) if row.rate == RATE}


def _neuron(subject: str) -> str:
    """A subject without its backend, with every option written out; as it is recorded, if no such neuron is there any more."""
    try:
        parsed = parse_subject(subject)
    except Problem:
        return subject
    return f"{parsed.name} {sorted(parsed.all_options.items())}"


def _accuracy(values: Sequence[float]) -> str:
    """The mean over seeds with its 95 % interval."""
    if not values:
        return "—"
    if len(values) < 2:
        return f"{values[0]:.1%}, n=1"
    low, high = stats.mean_interval(values)
    return f"{statistics.fmean(values):.1%} [{low:.1%}, {min(1.0, high):.1%}], n={len(values)}"
