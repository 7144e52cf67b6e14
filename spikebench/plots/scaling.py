"""Time against T, one line per subject, log-log, with the spread of the samples and the last slope."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import style
from spikebench.plots.style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per mode, B and N that was measured at two lengths or more. Bands: 5th to 95th percentile of samples."""
    times = frame[(frame["metric"] == "latency") & frame["value"].notna()]
    for (mode, b, n), part in times.groupby(["mode", "B", "N"]):
        if part["T"].nunique() > 1:
            everything = frame[(frame["mode"] == mode) & (frame["B"] == b) & (frame["N"] == n)]
            caption = style.caption(part, "Wall-clock time of one launch; bands hold 90 % of the samples.")
            yield f"scaling-{mode}-B{b}-N{n}", _figure(part, everything, f"{mode}, B = {b}, N = {n}"), caption


def _figure(times: Frame, everything: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    for subject, part in times.groupby("subject", sort=False):
        style.banded(axes, str(subject), part, _slope)
    style.log_axes(axes, "time steps T", "time of one launch (s)", times["T"])
    axes.set_title(title, loc="left")
    style.legend(axes, "subject, T to the power of")
    style.gaps(axes, everything[everything["workload"] != "training"], "latency")
    return figure


def _slope(medians: Frame) -> str:
    """The exponent over the last two lengths."""
    if len(medians) < 2:
        return ""
    (t0, t1), (y0, y1) = medians.index[-2:], medians.to_numpy()[-2:]
    return f"  {math.log(y1 / y0) / math.log(t1 / t0):.2f}"
