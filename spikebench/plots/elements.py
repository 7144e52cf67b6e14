"""Time of a launch over that of a copy of its input, against the number of series, where all cases have as many elements."""

from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, Point, Series, View, finished
from spikebench.plots._over import panels, point
from spikebench.plots._style import Frame

NEAR = 1.5  # times the best; where a subject comes so near, the number of series bounds it no longer
WHAT = (
    "Time of one launch over that of an ordinary copy of its input, in the same process, where T·B·N is the same in all "
    "cases: geometric mean of the processes with its 95 % interval. A line that falls is bound by the steps that follow each "
    "other, or by the work of each launch; a level one by the memory or the arithmetic of an element. Beside each name "
    f"stands the number of series from which on it is within {NEAR:g} times its best."
)


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per mode, device and number of elements that was measured at two widths or more."""
    timed = frame[
        (frame["workload"] == "layer") & (frame["status"] == "ok") & frame["metric"].isin(["latency", "copy"])
    ]
    timed = timed[timed["value"].gt(0)].assign(elements=lambda f: f["T"] * f["B"] * f["N"], M=lambda f: f["B"] * f["N"])
    for unusual, same in style.alike(timed, "device"):
        for (mode, device, elements), part in same.groupby(["mode", "device", "elements"]):
            series = _series(part)
            if any(len(s.points) > 1 for s in series):
                title = f"{mode}, T·B·N = {elements:,}, {device}{unusual.replace('-', ', ')}"
                ticks = tuple(sorted({p.x for s in series for p in s.points}))
                y = Axis("time over a copy of the input", "x")
                made = Chart(title, panels(series, view, (1.0, "copy")), Axis("series M = B·N"), y, ticks)
                yield f"elements-{mode}-{elements}-{device}{unusual}", finished(made), style.caption(part, WHAT)


def _series(part: Frame) -> list[Series]:
    """The ratio of the medians of each process, over M."""
    found: list[Series] = []
    for subject, mine in part.groupby("subject", sort=False):
        points = [point(float(m), ratios) for m, at in mine.groupby("M") if (ratios := _ratios(at))]
        if points:
            found.append(Series(str(subject), tuple(points), note=_near(points)))
    return found


def _ratios(at: Frame) -> list[float]:
    medians = at.groupby(["record", "metric"])["value"].median().unstack()
    if not {"latency", "copy"} <= set(medians):
        return []
    return [*(medians["latency"] / medians["copy"]).dropna()]


def _near(points: list[Point]) -> str:
    """From how many series on a subject is near its best."""
    best = min(p.y for p in points)
    far = [p.x for p in points if p.y > NEAR * best]
    near = [p.x for p in points if not far or p.x > max(far)]
    return f"from M = {near[0]:,.0f}" if near else ""


BASELINE = False
