"""Share of the copy bandwidth against T, one line per subject; 1 is as fast as an ordinary copy."""

from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, View
from spikebench.plots._over import over_T
from spikebench.plots._style import Frame

WHAT = (
    "Bytes that the algorithm must move, over time and copy bandwidth in the same process: geometric mean of the processes "
    "with its 95 % interval."
)


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per mode, B and N that has the metric `bandwidth`."""
    shown = View(view.subjects)  # a share of a bound has its baseline already
    for unusual, same in style.alike(frame[frame["workload"] != "training"]):
        for (mode, b, n), everything in same.groupby(["mode", "B", "N"]):
            part = everything[(everything["metric"] == "bandwidth") & everything["value"].notna()]
            if len(part):
                title = f"{mode}, B = {b}, N = {n}{unusual.replace('-', ', ')}"
                y = Axis("share of the copy bandwidth", "1")
                chart = over_T(part, everything, "bandwidth", shown, title, y, (1.0, "copy"))
                if chart is not None:
                    yield f"roofline-{mode}-B{b}-N{n}{unusual}", chart, style.caption(part, WHAT)


BASELINE = False
