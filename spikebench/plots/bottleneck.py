"""Share of a step that the neurons take, against the width of the layer, one line per subject and one panel per mode and T."""

from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import Axis, Chart, Panel, Point, Series, finished
from spikebench.plots._over import mean
from spikebench.plots._style import Frame

HALF = (0.5, "half of the time")
WHAT = (
    "Share of the time of a network's step that its neurons take: one less the time of the same network with nothing in "
    "their places, over its own, both of one process. Mean over processes with its 95 % interval. Above one half, the "
    "neuron is the bottleneck."
)


def figures(frame: Frame) -> Iterator[tuple[str, Chart, str]]:
    """One figure per network, device and B that has the metric `neuron_share`."""
    found = frame[(frame["metric"] == "neuron_share") & frame["value"].notna()]
    for unusual, same in style.alike(found, "workload", "network", "device"):
        for (network, device, b), part in same.groupby(["network", "device", "B"]):
            title = f"{network}, B = {b}, {device}{unusual.replace('-', ', ')}"
            yield f"bottleneck-{network}-B{b}-{device}{unusual}", _chart(part, title), style.caption(part, WHAT)


def _chart(part: Frame, title: str) -> Chart:
    panels: list[Panel] = []
    for (mode, T), at in part.groupby(["mode", "T"], sort=False):
        series = [Series(str(s), tuple(_points(mine))) for s, mine in at.groupby("subject", sort=False)]
        panels.append(Panel(f"{mode}, T = {T:,}", tuple(series), HALF))
    ticks = tuple(sorted({float(n) for n in part["N"]}))
    y = Axis("share of the time", "1", "linear")
    return finished(Chart(title, tuple(panels), Axis("neurons N"), y, ticks, wide=len(panels) > 1))


def _points(mine: Frame) -> Iterator[Point]:
    for n, at in sorted(mine.groupby("N"), key=lambda item: item[0]):
        yield mean(float(n), [*at.groupby("record")["value"].median()])
