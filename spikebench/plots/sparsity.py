"""Time against the spike rate that was measured: what a neuron's sparsity is worth in time on this machine."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINT = ["mode", "device", "B", "N", "T"]
WHAT = (
    "Time of one launch against the spikes it gave, per neuron and step. A level line means that silence saves no time."
)


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per case of a layer of which a subject was measured at two spike rates or more."""
    layers = frame[(frame["workload"] == "layer") & (frame["status"] == "ok")]
    for unusual, same in style.alike(layers, "device", "rate"):
        for (mode, device, b, n, t), part in same.groupby(POINT):
            points = _points(part)
            if len(points) and points.groupby("subject")["rate"].nunique().max() > 1:
                used = part[part["metric"].isin(["latency", "spike_rate"]) & part["value"].notna()]
                title = f"{mode}, T = {t:,}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
                name = f"sparsity-{mode}-T{t}-B{b}-N{n}-{device}{unusual}"
                yield name, _figure(points, title), style.caption(used, WHAT)


def _points(part: Frame) -> Frame:
    """Median time and spike rate of every subject at every rate that was aimed at, where both were measured."""
    found = part[part["metric"].isin(["latency", "spike_rate"]) & part["value"].notna()]
    table = found.groupby(["subject", "rate", "metric"], sort=False)["value"].median().unstack()
    return table.dropna().reset_index() if {"latency", "spike_rate"} <= set(table.columns) else table.iloc[:0]


def _figure(points: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    for subject, part in points.groupby("subject", sort=False):
        part = part.sort_values("spike_rate")
        axes.plot(part["spike_rate"], part["latency"], label=str(subject), **style.line(str(subject)))
    axes.set_yscale("log")
    axes.set_xlim(left=0)
    axes.set_xlabel("spikes per neuron and step")
    axes.set_ylabel("time of one launch")
    style.unit_axis(axes.yaxis, "s")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject")
    return figure
