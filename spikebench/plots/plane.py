"""Memory of a training step against time per epoch, one point per way to train, with the accuracy as its colour."""

import math
from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, Panel, Point, Series, View, finished
from spikebench.plots._over import mean, point
from spikebench.plots._style import Frame

WHAT = (
    "Tensors that a training step holds beyond parameters and input, against time per epoch: means over seeds (of times and bytes geometric "
    "ones) with 95 % intervals. The darker a point, the higher its accuracy on the test set, which stands under its name."
)
PALE, DARK = (0x6B, 0xA3, 0xD6), (0x08, 0x2A, 0x5E)
METRICS = ("accuracy", "epoch_time", "tensor_memory")


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per task and recipe that two subjects or more were trained on by a scheme."""
    trained = frame[frame["workload"].eq("training") & frame["metric"].isin(METRICS) & frame["value"].notna()]
    for unusual, same in style.alike(trained, "workload", "task", "network", "rate", "seed"):
        for (task, recipe), part in same.groupby([same["task"].fillna(""), same["network"].fillna("")]):
            points = _points(part)
            if len(points) > 1:
                title = f"{task} {recipe}".strip() + unusual.replace("-", ", ")
                yield f"plane-{task}{recipe}{unusual}", _chart(points, title), style.caption(part, WHAT)


def _points(part: Frame) -> dict[str, tuple[Point, Point]]:
    """Of each subject that has all three the point of the plane, and that of the accuracy."""
    found: dict[str, tuple[Point, Point]] = {}
    for subject, mine in part.groupby("subject", sort=False):
        seeds = {m: [*rows.groupby("record")["value"].median()] for m, rows in mine.groupby("metric")}
        if set(METRICS) <= set(seeds) and min(*seeds["epoch_time"], *seeds["tensor_memory"]) > 0:
            time, held = point(0, seeds["epoch_time"]), point(0, seeds["tensor_memory"])
            across = (time.low, time.high) if time.known and time.low and time.high else None
            at = Point(time.y, held.y, held.low, held.high, time.n, across)
            found[str(subject)] = (at, mean(0, seeds["accuracy"]))
    return found


def _chart(points: dict[str, tuple[Point, Point]], title: str) -> Chart:
    accuracies = [accuracy.y for _, accuracy in points.values()]
    least, most = min(accuracies), max(accuracies)
    made: list[Series] = []
    for subject, (at, accuracy) in points.items():
        low, high = (None if end is None else min(1.0, max(0.0, end)) for end in (accuracy.low, accuracy.high))
        said = f"{accuracy.y:.1%}" + ("" if low is None or high is None else f" [{low:.1%}, {high:.1%}]")
        made.append(Series(subject, (at,), "points", said, shade(accuracy.y, least, most)))
    return finished(
        Chart(title, (Panel("", tuple(made)),), Axis("time per epoch", "s"), Axis("tensors of a step", "B"))
    )


def shade(value: float, least: float, most: float) -> str:
    """The colour of a value between two ends, from pale to dark."""
    share = (value - least) / (most - least) if most > least else 1.0
    mixed = (math.floor(a + share * (b - a) + 0.5) for a, b in zip(PALE, DARK, strict=True))
    return "#" + "".join(f"{c:02X}" for c in mixed)


BASELINE = False
