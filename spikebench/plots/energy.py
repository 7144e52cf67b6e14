"""Energy of one launch against T, one line per subject, where the machine has a counter of it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per workload, mode, device, B and N with energy; what is unavailable is said, and never drawn as 0."""
    layers = frame[frame["workload"] != "training"]
    what = "Energy of one launch as the machine's own counter gives it; bands hold 90 % of the samples."
    for unusual, same in style.alike(layers, "workload", "device"):
        for (workload, mode, device, b, n), part in same.groupby(["workload", "mode", "device", "B", "N"]):
            energy = part[(part["metric"] == "energy") & part["value"].gt(0)]
            if len(energy):
                asked = part[part["metric"].eq("energy") | part["status"].ne("ok")]
                name = f"energy-{mode}-B{b}-N{n}-{device}" + ("" if workload == "layer" else f"-{workload}") + unusual
                title = f"{mode}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
                yield name, _figure(energy, asked, title), style.caption(energy, what)


def _figure(energy: Frame, asked: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    for subject, part in energy.groupby("subject", sort=False):
        style.banded(axes, str(subject), part)
    style.log_axes(axes, "time steps T", "energy of one launch", energy["T"])
    style.unit_axis(axes.yaxis, "J")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject")
    style.gaps(axes, asked, "energy")
    return figure
