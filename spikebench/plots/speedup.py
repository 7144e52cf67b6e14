"""Speed-up over a baseline against T (the eager loop of LIF if none is named); the baseline is named on the axis."""

from collections.abc import Iterator
from dataclasses import replace

from spikebench.cases.subject import shown
from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, View, means
from spikebench.plots._over import over_T
from spikebench.plots._style import Frame

BASELINE = "lif@eager"


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per mode, B and N in which the baseline and another subject were measured in the same blocks."""
    base = view.baseline or BASELINE
    what = f"Speed-up over {shown(base)}" + (" (warm, unbind loop)" if base == BASELINE else "")
    what += ": mean ratio of pairs of processes with its 95 % interval."
    for unusual, same in style.alike(frame[frame["workload"] != "training"]):
        for (mode, b, n), part in same.groupby(["mode", "B", "N"]):
            times = part[(part["metric"] == "latency") & part["value"].notna()]
            if times["T"].nunique() > 1 and any(means(base, s) for s in times["subject"].unique()):
                title = f"{mode}, B = {b}, N = {n}{unusual.replace('-', ', ')}"
                chart = over_T(
                    times, times, "latency", replace(view, baseline=base), title, Axis("time of one launch", "s")
                )
                if chart is not None:
                    chart = replace(chart, y=Axis(f"speed-up over {shown(base)}", "x"), missing=())
                    yield f"speedup-{mode}-B{b}-N{n}{unusual}", chart, style.caption(times, what)
