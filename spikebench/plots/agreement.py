"""Agreement of approximate neurons with the LIF that they approximate, beyond chance, against decay, one panel per spike rate."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from spikebench.cases.options import number
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.plots import _style as style
from spikebench.plots._chart import Axis, Chart, Panel, Series, finished
from spikebench.plots._over import mean
from spikebench.plots._style import Frame

RESETS = ("soft", "hard")
SILENT = (0.0, "silent or independent")
SIZES = ["mode", "device", "dtype", "T", "B", "N", "seed"]
WHAT = (
    "Cohen's kappa of the spikes with those of a LIF with soft or hard reset on the same input: 1, all are equal; "
    "0, as many are equal as by chance at both rates, as for a neuron that is silent or fires independently. "
    "Mean over processes with its 95 % interval."
)


def figures(frame: Frame) -> Iterator[tuple[str, Chart, str]]:
    """One figure per mode and sizes: a panel per rate and reset, a line per neuron."""
    found = frame[(frame["metric"] == "agreement") & frame["value"].notna()].copy()
    if not len(found):
        return
    if "detail" not in found:
        raise Problem("the rates of an agreement are in the details of the records: make the frame with details=True")
    found["decay"] = found["subject"].map(_decay)
    found["kappa"] = [
        kappa(v, d, int(k)) for v, d, k in zip(found["value"], found["detail"], found["sample"], strict=True)
    ]
    found = found.dropna(subset=["decay", "kappa"])
    for _, part in found.groupby(SIZES):
        yield "agreement", _chart(part), style.caption(part, WHAT)


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


def _decay(subject: str) -> float | None:
    """The subject's decay, whether it was given or is the neuron's own."""
    options = parse_subject(subject).all_options
    return next((number(options[o]) for o in ("decay", "mem_decay") if o in options), None)


def _chart(found: Frame) -> Chart:
    made: list[Panel] = []
    for reset, rate in itertools.product(RESETS, sorted(found["rate"].unique())):
        part = found[(found["rate"] == rate) & (found["sample"] == RESETS.index(reset))]
        series = [
            Series(str(neuron), tuple(mean(float(d), [*at["kappa"]]) for d, at in line.groupby("decay")))
            for neuron, line in part.groupby("neuron")
        ]
        made.append(Panel(f"{reset} reset, rate {rate:g}", tuple(series), SILENT))
    y = Axis("Cohen's kappa of the spikes", "", "linear")
    return finished(Chart("", tuple(made), Axis("decay per step", "", "linear"), y, wide=True))
