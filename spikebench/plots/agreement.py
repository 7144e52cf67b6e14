"""Agreement of approximate neurons with the LIF that they approximate, beyond chance, against decay, one panel per spike rate."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt

from spikebench.cases.options import number
from spikebench.cases.subject import parse_subject
from spikebench.errors import Problem
from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESETS = ("soft", "hard")
SIZES = ["mode", "device", "dtype", "T", "B", "N", "seed"]
WHAT = (
    "Cohen's kappa of the spikes with those of a LIF with soft or hard reset on the same input: 1, all are equal; "
    "0, as many are equal as by chance at both rates, as for a neuron that is silent or fires independently. "
    "Median over processes."
)


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
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
        yield "agreement", _figure(part), style.caption(part, WHAT)


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


def _figure(found: Frame) -> "Figure":
    rates = sorted(found["rate"].unique())
    figure, panels = plt.subplots(
        2, len(rates), sharex=True, sharey=True, figsize=(3.2 * len(rates) + 1, 5.4), squeeze=False
    )
    least = min(0.0, float(found["kappa"].min()))
    for row, reset in enumerate(RESETS):
        for column, rate in enumerate(rates):
            axes = panels[row][column]
            part = found[(found["rate"] == rate) & (found["sample"] == row)]
            for neuron, line in part.groupby("neuron"):
                points = line.groupby("decay")["kappa"].median()
                axes.plot(points.index, points, label=neuron, marker="o", markersize=4, color=style.colour(str(neuron)))
            axes.axhline(0, color="#666666", lw=1)
            axes.set_title(f"{reset} reset, rate {rate:g}", loc="left", fontsize=9)
            axes.set_ylim(least - 0.05, 1.02)
    panels[0][0].annotate(
        "silent or independent", (0.02, 0.01), xycoords=("axes fraction", "data"), fontsize=7, va="bottom"
    )
    figure.supxlabel("decay per step")
    figure.supylabel("Cohen's kappa of the spikes")
    panels[0][-1].legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=7)
    return figure
