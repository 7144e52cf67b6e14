"""Accuracy against training time on real data, one point per subject. Better ones lie further up and to the left."""

import math
from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, Panel, Point, Series, View, finished
from spikebench.plots._over import mean, panels, point
from spikebench.plots._style import Frame

WHAT = (
    "Accuracy on the test set against time per epoch: small, every seed; large, the mean over seeds (of times the geometric one) "
    "with 95 % intervals; of a time whose interval is wider than a factor 2 none is drawn. Grey: the front of the means."
)


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per task and recipe that two subjects or more were trained on."""
    trained = frame[(frame["workload"] == "training") & frame["metric"].isin(["accuracy", "epoch_time"])]
    for unusual, same in style.alike(trained, "workload", "task", "network", "rate", "seed"):
        for (task, recipe), everything in same.groupby([same["task"].fillna(""), same["network"].fillna("")]):
            runs = _runs(everything)
            if len(runs) and runs["subject"].nunique() > 1:
                used = everything[everything["value"].notna()]
                title = f"{task} {recipe}".strip() + unusual.replace("-", ", ")
                yield f"pareto-{task}{recipe}{unusual}", _chart(runs, title, view), style.caption(used, WHAT)


def _runs(trained: Frame) -> Frame:
    """One row per training that has both: its last accuracy and its median time of an epoch."""
    keys = ["run", "subject", "seed", "repeat"]
    values = trained[trained["value"].notna()].sort_values("sample").groupby([*keys, "metric"])["value"]
    table = values.agg(["last", "median"]).unstack("metric")
    if not {("last", "accuracy"), ("median", "epoch_time")} <= set(table.columns):
        return table.iloc[:0]
    found = table[[("last", "accuracy"), ("median", "epoch_time")]]
    found.columns = ["accuracy", "epoch_time"]
    return found.dropna().reset_index()


def _chart(runs: Frame, title: str, view: View) -> Chart:
    made: list[Series] = []
    for subject, mine in runs.groupby("subject", sort=False):
        made.append(Series(str(subject), (_middle([*mine["epoch_time"]], [*mine["accuracy"]]),), "points"))
    shown = made
    whole: list[Panel] = []
    for panel in panels(shown, view):
        seeds = [_seeds(s, runs) for s in panel.series if not s.muted]
        whole.append(Panel(panel.title, (_front(shown), *seeds, *panel.series)))
    return finished(Chart(title, tuple(whole), Axis("time per epoch", "s"), Axis("accuracy", "%", "linear")))


def _middle(times: list[float], accuracy: list[float]) -> Point:
    """The means over seeds with their intervals."""
    time, at = point(0, times), mean(0, accuracy)
    across = (time.low, time.high) if time.known and time.low and time.high else None
    low, high = (None if end is None else min(1.0, max(0.0, end)) for end in (at.low, at.high))
    return Point(time.y, at.y, low, high, len(times), across)


def _seeds(of: Series, runs: Frame) -> Series:
    """Every seed of a subject as a small point."""
    mine = runs[runs["subject"] == of.subject]
    points = tuple(Point(t, a) for t, a in zip(mine["epoch_time"], mine["accuracy"], strict=True))
    return Series(of.subject, points, "points", labelled=False, small=True)


def _front(series: list[Series]) -> Series:
    """The best mean accuracy that some time per epoch or less gave."""
    best, points = -math.inf, list[Point]()
    for p in sorted((p for s in series for p in s.points), key=lambda p: p.x):
        if p.y > best:
            best = p.y
            points.append(Point(p.x, p.y))
    return Series("the front of the means", tuple(points), "steps", muted=True, labelled=False, small=True)


BASELINE = False
