"""Test accuracy against seconds of training, one line per subject, from `train --equal-time`."""

from collections.abc import Iterator

from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, Panel, Point, Series, View, finished
from spikebench.plots._over import panels
from spikebench.plots._style import Frame

WHAT = "Test accuracy after each epoch against seconds of training, a line per seed; the test split selected nothing."


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per task with a curve; a line per seed. With details in the frame, also the share of the largest class."""
    trained = frame[frame["workload"] == "training"]
    for unusual, same in style.alike(trained, "workload", "task", "network", "rate", "seed"):
        yield from _of(same, unusual, view)


def _of(frame: Frame, unusual: str, view: View) -> Iterator[tuple[str, Chart, str]]:
    curves = frame[(frame["metric"] == "accuracy_curve") & frame["value"].notna()]
    for (task, network), part in curves.groupby(["task", curves["network"].fillna("")]):
        mine = frame[(frame["task"] == task) & frame["network"].fillna("").eq(network)]
        epochs, ends = mine[mine["metric"] == "epoch_time"], mine[mine["metric"] == "accuracy"]
        details = [*ends["detail"]] if "detail" in frame else []
        shares = {s for d in details if isinstance(s := d.get("majority"), float)}
        name = f"learning-{str(task).partition('[')[0]}{unusual}"
        yield name, _chart(part, epochs, shares, str(task), view), style.caption(part, WHAT)


def _chart(curves: Frame, epochs: Frame, shares: set[float], title: str, view: View) -> Chart:
    seeds: dict[str, list[Series]] = {}
    for subject, part in curves.groupby("subject", sort=False):
        for key, seed in part.groupby(["run", "case_id"]):
            mine = epochs[(epochs["run"] == key[0]) & (epochs["case_id"] == key[1])]
            seconds = mine.sort_values("sample")["value"].cumsum()
            accuracy = seed.sort_values("sample")["value"]
            points = tuple(Point(float(t), float(a)) for t, a in zip(seconds, accuracy, strict=False))
            first = str(subject) not in seeds
            seeds.setdefault(str(subject), []).append(Series(str(subject), points, labelled=first, small=True))
    heads = [lines[0] for lines in seeds.values()]
    whole: list[Panel] = []
    for panel in panels(heads, view, (min(shares), "the most frequent class") if shares else None):
        lines = [line for head in panel.series if not head.muted for line in seeds[head.subject]]
        whole.append(Panel(panel.title, (*(h for h in panel.series if h.muted), *lines), panel.rule))
    x = Axis("seconds of training", "", "linear")
    return finished(Chart(title, tuple(whole), x, Axis("test accuracy", "%", "linear")))


BASELINE = False
