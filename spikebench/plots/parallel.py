"""How fast a training step of every neuron is beside the fused LIF's, side by side at each length."""

from collections.abc import Iterator

from spikebench.analysis.parallel import BASELINE, ParallelRow, parallel_rows
from spikebench.cases.subject import shown
from spikebench.plots import _style as style
from spikebench.plots._chart import Axis, Chart, Panel, Point, Series, finished
from spikebench.plots._style import COLOURS, Frame
from spikebench.records import store

APART = 0.2  # of the distance between two subjects, between two lengths of one
WHAT = (
    f"Speed of a training step of a layer over that of {BASELINE}, the LIF step by step in one kernel: mean ratio of pairs of "
    "processes with its 95 % interval. Above 1 the subject is faster."
)


def figures(frame: Frame) -> Iterator[tuple[str, Chart, str]]:
    """One figure per device, B and N at which three subjects or more were trained beside the fused LIF."""
    layers = frame[(frame["workload"] == "layer") & (frame["mode"] == "train") & (frame["metric"] == "latency")]
    for unusual, same in style.alike(layers, "device"):
        for (device, b, n), part in same.groupby(["device", "B", "N"]):
            rows = parallel_rows(store.records(part))
            if len({row.subject for row in rows}) < 3:
                continue
            used = part[part["value"].notna()]
            title = f"A training step beside the fused LIF's, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
            yield f"parallel-B{b}-N{n}-{device}{unusual}", _chart(rows, title), style.caption(used, WHAT)


def _chart(rows: list[ParallelRow], title: str) -> Chart:
    """Points of every subject, in the order of the longest length; lengths stand beside each other."""
    lengths = sorted({row.sizes[0] for row in rows})
    order = list(dict.fromkeys(row.subject for T in reversed(lengths) for row in rows if row.sizes[0] == T))
    series = [
        Series(
            f"T = {T:,}",
            tuple(_points(rows, T, order, APART * (k - (len(lengths) - 1) / 2))),
            "points",
            colour=COLOURS[k % len(COLOURS)],
        )
        for k, T in enumerate(lengths)
    ]
    names = Axis("", "", "names", tuple(map(shown, order)))
    panel = Panel("", tuple(series), (1.0, shown(BASELINE)))
    return finished(Chart(title, (panel,), names, Axis("speed-up over the fused LIF", "x"), legend=True))


def _points(rows: list[ParallelRow], T: int, order: list[str], aside: float) -> Iterator[Point]:
    for row in rows:
        r = row.ratio
        if row.sizes[0] == T:
            ends = (r.low, r.high) if r.n > 1 else (None, None)
            yield Point(order.index(row.subject) + aside, r.estimate, *ends, n=r.n)
