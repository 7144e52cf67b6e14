"""Approximate neurons against the LIF that they approximate, over decay, one panel per rate and reset: spikes that differ, drift of the rate, kappa."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spikebench.analysis.agreement import RESETS, decay_of
from spikebench.errors import Problem
from spikebench.plots import _style as style
from spikebench.plots._chart import Axis, Chart, Panel, Series, finished
from spikebench.plots._over import mean
from spikebench.plots._style import Frame

SIZES = ["mode", "device", "dtype", "T", "B", "N", "seed"]
MEANS = "Mean over processes with its 95 % interval."


@dataclass(frozen=True)
class Shown:
    """A figure of what a metric's detail holds: its name, its axis, the line at which a value says nothing, and the caption."""

    name: str
    key: str
    axis: str
    rule: tuple[float, str]
    what: str
    ratio: bool = False  # of the detail, 1 is added, and the axis is logarithmic


FIGURES = (
    Shown(
        "agreement-kappa",
        "kappa",
        "Cohen's kappa of the spikes",
        (0.0, "silent or independent"),
        "Cohen's kappa of the spikes with those of a LIF with soft or hard reset on the same input: 1, all are equal; "
        f"0, as many are equal as by chance at both rates, as for a neuron that is silent or fires independently. {MEANS}",
    ),
    Shown(
        "agreement-differ",
        "differ",
        "share of the spikes that differ",
        (1.0, "no spike in common"),
        "Of the places where the neuron or a LIF with soft or hard reset on the same input fires, the share at which the "
        f"two are not equal. {MEANS}",
    ),
    Shown(
        "agreement-drift",
        "drift",
        "rate over the LIF's",
        (1.0, "the LIF's rate"),
        f"How many times as often the neuron fires as a LIF with soft or hard reset on the same input. {MEANS}",
        ratio=True,
    ),
)


def figures(frame: Frame) -> Iterator[tuple[str, Chart, str]]:
    """Three figures per mode and sizes, each with a panel per rate and reset and a line per neuron."""
    found = frame[(frame["metric"] == "agreement") & frame["value"].notna()].copy()
    if not len(found):
        return
    if "detail" not in found:
        raise Problem("the rates of an agreement are in the details of the records: make the frame with details=True")
    found["decay"] = found["subject"].map(decay_of)
    for shown in FIGURES:
        found["shown"] = [
            _value(shown, v, d, int(k))
            for v, d, k in zip(found["value"], found["detail"], found["sample"], strict=True)
        ]
        there = found.dropna(subset=["decay", "shown"])
        for _, part in there.groupby(SIZES):
            yield shown.name, _chart(part, shown), style.caption(part, shown.what)


def _value(shown: Shown, share: float, detail: Mapping[str, Any], reset: int) -> float:
    """What the detail of a record holds for a reset; NaN where it holds nothing."""
    if shown.key == "kappa":
        return kappa(share, detail, reset)
    known = detail[shown.key][reset] if shown.key in detail else None
    if known is None:
        return math.nan
    return float(known) + 1 if shown.ratio and known > -1 else math.nan if shown.ratio else float(known)


def kappa(share: float, detail: Mapping[str, Any], reset: int) -> float:
    """Cohen's kappa of a share of equal spikes: that of the record, or else from both rates; NaN where chance is all.

    κ = (share − chance) / (1 − chance) with chance = p·q + (1 − p)·(1 − q) at the rates p and q.
    """
    if "kappa" in detail:
        known = detail["kappa"][reset]
        return math.nan if known is None else float(known)
    p, q = detail.get("rate"), detail.get(f"rate_{RESETS[reset]}")
    if (
        p is None or q is None or max(p, q) > 1
    ):  # several spikes a step: their rate does not say how many steps have one
        return math.nan
    chance = p * q + (1 - p) * (1 - q)
    return (share - chance) / (1 - chance) if chance < 1 else math.nan


def _chart(found: Frame, shown: Shown) -> Chart:
    made: list[Panel] = []
    for reset, rate in itertools.product(RESETS, sorted(found["rate"].unique())):
        part = found[(found["rate"] == rate) & (found["sample"] == RESETS.index(reset))]
        series = [
            Series(str(neuron), tuple(mean(float(d), [*at["shown"]]) for d, at in line.groupby("decay")))
            for neuron, line in part.groupby("neuron")
        ]
        made.append(Panel(f"{reset} reset, rate {rate:g}", tuple(series), shown.rule))
    y = Axis(shown.axis, "x", "log") if shown.ratio else Axis(shown.axis, "", "linear")
    return finished(Chart("", tuple(made), Axis("decay per step", "", "linear"), y, wide=True))
