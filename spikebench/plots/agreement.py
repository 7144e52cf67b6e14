"""Agreement of approximate neurons with the exact LIF they stand for, against decay, one panel per spike rate."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.case import parse_subject
from spikebench.plots import style
from spikebench.plots.style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESETS = ("soft", "hard")


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure: a panel per rate and reset, a line per neuron."""
    found = frame[(frame["metric"] == "agreement") & frame["value"].notna()].copy()
    if not len(found):
        return
    found["decay"] = found["subject"].map(_decay)
    what = (
        "Share of neurons and steps at which the spikes equal those of a LIF with soft or hard reset on the same input."
    )
    yield "agreement", _figure(found.dropna(subset=["decay"])), style.caption(found, what)


def _decay(subject: str) -> float | None:
    """The subject's decay, whether it was given or is the neuron's own."""
    options = parse_subject(subject).all_options
    return next((float(options[o]) for o in ("decay", "mem_decay") if o in options), None)


def _figure(found: Frame) -> "Figure":
    rates = sorted(found["rate"].unique())
    figure, panels = plt.subplots(
        2, len(rates), sharex=True, sharey=True, figsize=(3.2 * len(rates) + 1, 5.4), squeeze=False
    )
    for row, reset in enumerate(RESETS):
        for column, rate in enumerate(rates):
            axes = panels[row][column]
            part = found[(found["rate"] == rate) & (found["sample"] == row)]
            for neuron, line in part.groupby("neuron"):
                points = line.groupby("decay")["value"].mean()
                axes.plot(points.index, points, label=neuron, marker="o", markersize=4, color=style.colour(str(neuron)))
            axes.set_title(f"{reset} reset, rate {rate:g}", loc="left", fontsize=9)
            axes.set_ylim(0, 1.02)
    figure.supxlabel("decay per step")
    figure.supylabel("share of equal spikes")
    panels[0][-1].legend(loc="lower left", fontsize=7)
    return figure
