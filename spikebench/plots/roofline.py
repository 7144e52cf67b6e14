"""Share of the copy bandwidth against T, one line per subject; 1 is as fast as an ordinary copy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHAT = (
    "Bytes that the algorithm must move, over time and copy bandwidth in the same process; bands hold 90 % of samples."
)


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per mode, B and N that has the metric `bandwidth`. Bands: 5th to 95th percentile of samples."""
    for unusual, same in style.alike(frame[frame["workload"] != "training"]):
        for (mode, b, n), everything in same.groupby(["mode", "B", "N"]):
            part = everything[(everything["metric"] == "bandwidth") & everything["value"].notna()]
            if len(part):
                figure = _figure(part, everything, f"{mode}, B = {b}, N = {n}{unusual.replace('-', ', ')}")
                yield f"roofline-{mode}-B{b}-N{n}{unusual}", figure, style.caption(part, WHAT)


def _figure(shares: Frame, everything: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    for subject, part in shares.groupby("subject", sort=False):
        style.banded(axes, str(subject), part)
    axes.axhline(1, color="#666666", lw=1)
    axes.annotate("copy", (1, 1), xycoords=("axes fraction", "data"), ha="right", va="bottom", color="#666666")
    style.log_axes(axes, "time steps T", "share of the copy bandwidth", shares["T"])
    style.unit_axis(axes.yaxis, "1")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject")
    style.gaps(axes, everything, "bandwidth")
    return figure
