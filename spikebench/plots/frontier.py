"""Peak memory against T, one line per subject, up to where memory or time ran out."""

from collections.abc import Iterator

from spikebench.analysis.training_memory import growths
from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, View
from spikebench.plots._over import over_T
from spikebench.plots._style import Frame
from spikebench.records import store

WHAT = (
    "Peak memory of one launch beyond what was there before it: geometric mean of the processes with its 95 % interval. "
    "Where a line ends, nothing longer was measured or fits."
)
GROWTH = " Under a name: what a doubling of T adds, over all T, with its 95 % interval."


def growth(part: Frame) -> str:
    """What a doubling of T adds to the memory of a network's subject; empty below two lengths or three processes."""
    found = growths(store.records(part[part["status"].eq("ok") & part["workload"].eq("network")]))
    return f"{found[0].cells['a doubling']}" if len(found) == 1 else ""


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per workload, mode, device, B and N in which peak memory was measured at two lengths or more."""
    layers = frame[frame["workload"] != "training"]
    for unusual, same in style.alike(layers, "workload", "device"):
        for (workload, mode, device, b, n), everything in same.groupby(["workload", "mode", "device", "B", "N"]):
            part = everything[(everything["metric"] == "peak_memory") & everything["value"].gt(0)]
            if part["T"].nunique() > 1:
                name = f"frontier-{mode}-B{b}-N{n}-{device}" + ("" if workload == "layer" else f"-{workload}") + unusual
                title = f"{mode}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
                measured = everything[everything["metric"].eq("peak_memory") | everything["status"].ne("ok")]
                chart = over_T(part, measured, "peak_memory", view, title, Axis("peak memory", "B"), note=growth)
                if chart is not None:
                    said = WHAT + GROWTH * any(s.note for panel in chart.panels for s in panel.series)
                    yield name, chart, style.caption(part, view.told(said))
