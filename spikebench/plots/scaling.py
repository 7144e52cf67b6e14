"""Time against T, one line per subject, log-log, with intervals and the scaling exponent."""

from collections.abc import Iterator

from spikebench.analysis import paired
from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, View
from spikebench.plots._over import over_T
from spikebench.plots._style import Frame
from spikebench.records import store

WHAT = (
    "Wall-clock time of one launch: geometric mean of the processes with its 95 % interval. Under a name: the power of T that the "
    "time grows by between the two longest T, with its 95 % interval; host-bound times have none."
)


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per mode, B and N that was measured at two lengths or more."""
    for unusual, same in style.alike(frame[frame["workload"] != "training"]):
        for (mode, b, n), everything in same.groupby(["mode", "B", "N"]):
            part = everything[(everything["metric"] == "latency") & everything["value"].notna()]
            if part["T"].nunique() > 1:
                title = f"{mode}, B = {b}, N = {n}{unusual.replace('-', ', ')}"
                y = Axis("time of one launch", "s")
                chart = over_T(part, everything, "latency", view, title, y, note=exponent)
                if chart is not None:
                    yield f"scaling-{mode}-B{b}-N{n}{unusual}", chart, style.caption(part, view.told(WHAT))


def exponent(part: Frame) -> str:
    """The scaling exponent of a subject's rows as T^1.02 [0.98, 1.06]; empty below two lengths."""
    found = paired.scaling(store.records(part[part["status"] == "ok"]))
    if found is None or found.host_bound:
        return "host-bound" if found else ""
    text, _, n = str(found).partition(", n=")
    return f"T^{text}" if "[" in text else f"T^{text}, n = {n}"
