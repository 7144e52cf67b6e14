"""Test accuracy against seconds of training, one line per subject, from `train --equal-time`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per task with a curve; a line per seed. With details in the frame, also the share of the largest class."""
    trained = frame[frame["workload"] == "training"]
    for unusual, same in style.alike(trained, "workload", "task", "network", "rate", "seed"):
        yield from _of(same, unusual)


def _of(frame: Frame, unusual: str) -> Iterator[tuple[str, "Figure", str]]:
    curves = frame[(frame["metric"] == "accuracy_curve") & frame["value"].notna()]
    for (task, network), part in curves.groupby(["task", curves["network"].fillna("")]):
        mine = frame[(frame["task"] == task) & frame["network"].fillna("").eq(network)]
        epochs, ends = mine[mine["metric"] == "epoch_time"], mine[mine["metric"] == "accuracy"]
        shares = (
            {s for d in ends["detail"] if isinstance(s := d.get("majority"), float)} if "detail" in frame else set()
        )
        what = "Test accuracy after each epoch against seconds of training; the test split selected nothing."
        yield (
            f"learning-{str(task).partition('[')[0]}{unusual}",
            _figure(part, epochs, shares, str(task)),
            style.caption(part, what),
        )


def _figure(curves: Frame, epochs: Frame, shares: set[float], title: str) -> "Figure":
    figure, axes = plt.subplots()
    for share in sorted(shares):
        axes.axhline(share, color="0.5", linestyle=":", label="the most frequent class")
    for subject, part in curves.groupby("subject", sort=False):
        look = style.line(str(subject))
        look["marker"] = ""
        for number, (key, seed) in enumerate(part.groupby(["run", "case_id"])):
            mine = epochs[(epochs["run"] == key[0]) & (epochs["case_id"] == key[1])]
            seconds = mine.sort_values("sample")["value"].cumsum().to_numpy()
            accuracy = seed.sort_values("sample")["value"].to_numpy()
            axes.plot(seconds[: len(accuracy)], accuracy, label=None if number else str(subject), **look)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds of training")
    axes.set_ylabel("test accuracy")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject; a line per seed")
    return figure
