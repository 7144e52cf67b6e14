"""Time against the spike rate that was measured: what a neuron's sparsity is worth in time on this machine."""

from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, Series, View, finished
from spikebench.plots._over import panels, point
from spikebench.plots._style import Frame

POINT = ["mode", "device", "B", "N", "T"]
WHAT = (
    "Time of one launch against the spikes it gave, per neuron and step: geometric mean of the processes with its 95 % "
    "interval. A level line means that silence saves no time."
)


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per case of a layer of which a subject was measured at two spike rates or more."""
    layers = frame[(frame["workload"] == "layer") & (frame["status"] == "ok")]
    for unusual, same in style.alike(layers, "device", "rate"):
        for (mode, device, b, n, t), part in same.groupby(POINT):
            series = _series(part)
            if any(len(s.points) > 1 for s in series):
                used = part[part["metric"].isin(["latency", "spike_rate"]) & part["value"].notna()]
                title = f"{mode}, T = {t:,}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
                name = f"sparsity-{mode}-T{t}-B{b}-N{n}-{device}{unusual}"
                x = Axis("spikes per neuron and step", "1", "linear")
                made = Chart(title, panels(series, view), x, Axis("time of one launch", "s"))
                yield name, finished(made), style.caption(used, WHAT)


def _series(part: Frame) -> list[Series]:
    """Time at the median spike rate of every rate that was aimed at, where both were measured."""
    found: list[Series] = []
    for subject, mine in part.groupby("subject", sort=False):
        points = []
        for _, at in mine.groupby("rate"):
            times = at[(at["metric"] == "latency") & at["value"].gt(0)]
            rates = at[(at["metric"] == "spike_rate") & at["value"].notna()]["value"]
            if len(times) and len(rates):
                processes = [*times.groupby("record")["value"].median()]
                points.append(point(float(rates.median()), processes, [*times["value"]]))
        if points:
            found.append(Series(str(subject), tuple(sorted(points, key=lambda p: p.x))))
    return found


BASELINE = False
