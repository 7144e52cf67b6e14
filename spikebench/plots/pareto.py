"""Accuracy against training time on real data, one point per subject. Better ones lie further up and to the left."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WHAT = "Accuracy on the test set against time per epoch: small, every seed; large, their mean. Grey: the front of the means."


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per task and recipe that two subjects or more were trained on."""
    trained = frame[(frame["workload"] == "training") & frame["metric"].isin(["accuracy", "epoch_time"])]
    for unusual, same in style.alike(trained, "workload", "task", "network", "rate", "seed"):
        for (task, recipe), everything in same.groupby([same["task"].fillna(""), same["network"].fillna("")]):
            runs = _runs(everything)
            if len(runs) and runs["subject"].nunique() > 1:
                used = everything[everything["value"].notna()]
                title = f"{task} {recipe}".strip() + unusual.replace("-", ", ")
                yield f"pareto-{task}{recipe}{unusual}", _figure(runs, title), style.caption(used, WHAT)


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


def _figure(runs: Frame, title: str) -> "Figure":
    figure, axes = plt.subplots()
    means = runs.groupby("subject", sort=False)[["epoch_time", "accuracy"]].mean()
    for subject, mean in means.iterrows():
        mine = runs[runs["subject"] == subject]
        look = style.line(str(subject))
        look["linestyle"], look["markersize"] = "none", 4
        axes.plot(mine["epoch_time"], mine["accuracy"], alpha=0.45, **look)
        look["markersize"] = 10
        axes.plot(mean["epoch_time"], mean["accuracy"], label=f"{subject}, n={len(mine)}", **look)
    best = means.sort_values("epoch_time")["accuracy"].cummax().drop_duplicates()
    times = means.loc[best.index, "epoch_time"]
    axes.step(times, best, where="post", color="#888888", lw=1, zorder=0)
    axes.set_xscale("log")
    axes.set_xlabel("time per epoch")
    style.unit_axis(axes.xaxis, "s")
    axes.tick_params(axis="x", which="both", labelrotation=30)
    axes.set_ylabel("accuracy")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject, trainings")
    return figure
