"""Speed-up over the eager loop of LIF against T; the baseline is named on the axis."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import style
from spikebench.plots.style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE = "lif@eager"


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per mode, B and N in which the baseline was measured. Ratios of medians; bands: ratios of quartiles."""
    times = frame[(frame["metric"] == "latency") & frame["value"].notna()]
    for (mode, b, n), part in times.groupby(["mode", "B", "N"]):
        base = part[part["subject"] == BASELINE]
        if len(base) and part["T"].nunique() > 1 and part["subject"].nunique() > 1:
            what = f"Speed-up over {BASELINE} (warm, unbind loop): ratio of medians; bands: ratios of quartiles."
            title = f"{mode}, B = {b}, N = {n}"
            yield f"speedup-{mode}-B{b}-N{n}", _figure(part, base, title), style.caption(part, what)


def _figure(times: Frame, base: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    quartiles = base.groupby("T")["value"].quantile([0.25, 0.5, 0.75]).unstack()
    for subject, part in times.groupby("subject", sort=False):
        if subject == BASELINE:
            continue
        mine = part.groupby("T")["value"].quantile([0.25, 0.5, 0.75]).unstack()
        mine, ours = mine.align(quartiles, join="inner", axis=0)
        look = style.line(str(subject))
        axes.plot(mine.index, ours[0.5] / mine[0.5], label=str(subject), **look)
        axes.fill_between(
            mine.index, ours[0.25] / mine[0.75], ours[0.75] / mine[0.25], color=look["color"], alpha=0.15, lw=0
        )
    axes.axhline(1, color="#666666", lw=1)
    style.log_axes(axes, "time steps T", f"speed-up over {BASELINE}", times["T"])
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:g}x")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject")
    return figure
