"""Peak memory against T, one line per subject, up to where memory or time ran out."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHAT = (
    "Peak memory of one launch beyond what was there before it. Where a line ends, nothing longer was measured or fits."
)


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per workload, mode, device, B and N in which peak memory was measured at two lengths or more."""
    layers = frame[frame["workload"] != "training"]
    for unusual, same in style.alike(layers, "workload", "device"):
        for (workload, mode, device, b, n), everything in same.groupby(["workload", "mode", "device", "B", "N"]):
            part = everything[(everything["metric"] == "peak_memory") & everything["value"].gt(0)]
            if part["T"].nunique() > 1:
                name = f"frontier-{mode}-B{b}-N{n}-{device}" + ("" if workload == "layer" else f"-{workload}") + unusual
                title = f"{mode}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
                yield name, _figure(part, everything, title), style.caption(part, WHAT)


def _figure(memory: Frame, everything: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    for subject, part in memory.groupby("subject", sort=False):
        points = part.groupby("T")["value"].median()
        axes.plot(points.index, points, label=str(subject), **style.line(str(subject)))
    style.log_axes(axes, "time steps T", "peak memory", memory["T"])
    axes.set_yscale("log", base=2)
    style.unit_axis(axes.yaxis, "B")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject")
    measured = everything[everything["metric"].eq("peak_memory") | everything["status"].ne("ok")]
    style.gaps(axes, measured, "peak_memory")
    return figure
