"""Peak memory against T, one line per subject, up to where memory or time ran out: of the process, and of its tensors alone."""

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
TENSORS = (
    "Tensors that one launch holds at most beyond what was there before it, as torch's allocator counts them: geometric mean of the "
    "processes with its 95 % interval."
)
METRICS = {"peak_memory": ("peak memory", "", WHAT), "tensor_memory": ("tensors", "-tensors", TENSORS)}
GROWTH = " Under a name: what a doubling of T adds, over all T, with its 95 % interval."


def growth(part: Frame) -> str:
    """What a doubling of T adds to the memory of a network's subject; empty below two lengths or three processes."""
    found = growths(store.records(part[part["status"].eq("ok") & part["workload"].eq("network")]))
    return f"{found[0].cells['a doubling']}" if len(found) == 1 else ""


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per metric, workload, mode, device, B and N in which memory was measured at two lengths or more."""
    layers = frame[frame["workload"] != "training"]
    for unusual, same in style.alike(layers, "workload", "device"):
        for (workload, mode, device, b, n), everything in same.groupby(["workload", "mode", "device", "B", "N"]):
            name = f"{mode}-B{b}-N{n}-{device}" + ("" if workload == "layer" else f"-{workload}") + unusual
            title = f"{mode}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
            for metric, (label, kind, what) in METRICS.items():
                part = everything[(everything["metric"] == metric) & everything["value"].gt(0)]
                measured = everything[everything["metric"].eq(metric) | everything["status"].ne("ok")]
                y = Axis(label, "B")
                chart = over_T(part, measured, metric, view, title, y, note=growth) if part["T"].nunique() > 1 else None
                if chart is not None:
                    said = what + GROWTH * any(s.note for panel in chart.panels for s in panel.series)
                    yield f"frontier{kind}-{name}", chart, style.caption(part, view.told(said))
