"""Time against T, one line per subject, log-log, with the spread of the samples and the scaling exponent."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.analysis import paired
from spikebench.plots import _style as style
from spikebench.plots._style import Frame
from spikebench.records import store

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per mode, B and N that was measured at two lengths or more. Bands: 5th to 95th percentile of samples."""
    for unusual, same in style.alike(frame[frame["workload"] != "training"]):
        for (mode, b, n), everything in same.groupby(["mode", "B", "N"]):
            part = everything[(everything["metric"] == "latency") & everything["value"].notna()]
            if part["T"].nunique() > 1:
                what = "Wall-clock time of one launch; bands hold 90 % of the samples. Exponents: process medians at the two longest T, 95 % interval."
                title = f"{mode}, B = {b}, N = {n}{unusual.replace('-', ', ')}"
                name = f"scaling-{mode}-B{b}-N{n}{unusual}"
                yield name, _figure(part, everything, title), style.caption(part, what)


def _figure(times: Frame, everything: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    for subject, part in times.groupby("subject", sort=False):
        found = paired.scaling(store.records(part[part["status"] == "ok"]))
        style.banded(axes, str(subject), part, f"  {found}" if found else "")
    style.log_axes(axes, "time steps T", "time of one launch (s)", times["T"])
    axes.set_title(title, loc="left")
    style.legend(axes, "subject, T to the power of")
    style.gaps(axes, everything, "latency")
    return figure
