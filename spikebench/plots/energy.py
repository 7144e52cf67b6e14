"""Energy of one launch against T, one line per subject, where the machine has a counter of it."""

from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, View
from spikebench.plots._over import over_T
from spikebench.plots._style import Frame

WHAT = "Energy of one launch as the machine's own counter gives it: geometric mean of the processes with its 95 % interval."


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per workload, mode, device, B and N with energy; what is unavailable is said, and never drawn as 0."""
    layers = frame[frame["workload"] != "training"]
    for unusual, same in style.alike(layers, "workload", "device"):
        for (workload, mode, device, b, n), part in same.groupby(["workload", "mode", "device", "B", "N"]):
            energy = part[(part["metric"] == "energy") & part["value"].gt(0)]
            if len(energy):
                asked = part[part["metric"].eq("energy") | part["status"].ne("ok")]
                name = f"energy-{mode}-B{b}-N{n}-{device}" + ("" if workload == "layer" else f"-{workload}") + unusual
                title = f"{mode}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
                chart = over_T(energy, asked, "energy", view, title, Axis("energy of one launch", "J"))
                if chart is not None:
                    yield name, chart, style.caption(energy, view.told(WHAT))
