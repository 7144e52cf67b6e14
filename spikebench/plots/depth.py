"""Time and memory of a step over the depth of a network of blocks, and the gradient's norm over its layers; a panel per residual."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from spikebench.analysis.depth import NORMS, blocks_of
from spikebench.plots import _style as style
from spikebench.plots._chart import Axis, Chart, Panel, Point, Series, finished
from spikebench.plots._over import point
from spikebench.plots._style import Frame


class Kind(NamedTuple):
    """A figure over the depth: its name, its metric, its axis, and what it shows."""

    name: str
    metric: str
    y: Axis
    what: str


OVER = (
    Kind("time", "latency", Axis("time of one launch", "s"), "Time of one launch"),
    Kind(
        "memory", "peak_memory", Axis("peak memory", "B"), "Peak memory of one launch beyond what was there before it"
    ),
)
MEAN = "geometric mean of the processes with its 95 % interval."
BACK = (
    "Norm of the gradient that the current of each layer of synapses gets in a training step, over that of the last layer, in the "
    f"deepest network of each kind: {MEAN} A line that rises from left to right is a gradient that vanishes on its way to the input."
)


def figures(frame: Frame) -> Iterator[tuple[str, Chart, str]]:
    """Figures of time, memory and gradient per network, mode, T, B, N and device that was measured at two depths or more."""
    named = {text: found for text in frame["network"].dropna().unique() if (found := blocks_of(text))}
    rows = frame[frame["network"].isin([*named]) & (frame["status"] == "ok")]
    if not len(rows):
        return
    rows = rows.assign(
        kind=rows["network"].map(lambda t: named[t][0]), depth=rows["network"].map(lambda t: named[t][1])
    )
    rows = rows.assign(base=rows["kind"].map(lambda t: t.partition("[")[0]))
    for unusual, same in style.alike(rows, "workload", "network", "device"):
        for (base, mode, t, b, n, device), part in same.groupby(["base", "mode", "T", "B", "N", "device"]):
            where = f"{base}-{mode}-T{t}-B{b}-N{n}-{device}{unusual}"
            title = f"{base}, {mode}, T = {t:,}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
            for name, metric, y, what in OVER:
                taken = part[(part["metric"] == metric) & part["value"].gt(0)]
                if taken["depth"].nunique() > 1:
                    chart = _chart(taken, title, Axis("layers in the blocks"), y, _by_depth)
                    yield f"depth-{name}-{where}", chart, style.caption(taken, f"{what}: {MEAN}")
            taken = part[(part["metric"] == NORMS) & part["value"].gt(0)]
            if len(taken):
                axes = Axis("layer, from the input", scale="linear"), Axis("gradient over the last layer's", "x")
                yield f"depth-gradient-{where}", _chart(taken, title, *axes, _by_layer), style.caption(taken, BACK)


def _chart(part: Frame, title: str, x: Axis, y: Axis, points: Callable[[Frame], Iterator[Point]]) -> Chart:
    panels: list[Panel] = []
    for kind, at in part.groupby("kind", sort=False):
        series = [Series(str(s), tuple(points(mine))) for s, mine in at.groupby("subject", sort=False)]
        panels.append(Panel(str(kind), tuple(series)))
    ticks = tuple(sorted({p.x for panel in panels for s in panel.series for p in s.points})) if x.scale == "log" else ()
    return finished(Chart(title, tuple(panels), x, y, ticks, wide=len(panels) > 1))


def _by_depth(mine: Frame) -> Iterator[Point]:
    for depth, at in sorted(mine.groupby("depth"), key=lambda item: item[0]):
        yield point(float(depth), [*at.groupby("record")["value"].median()], [*at["value"]])


def _by_layer(mine: Frame) -> Iterator[Point]:
    deepest = mine[mine["depth"] == mine["depth"].max()]
    last = deepest[deepest["sample"] == deepest["sample"].max()].set_index("record")["value"]
    over = deepest.assign(value=deepest["value"] / deepest["record"].map(last))
    for layer, at in sorted(over.groupby("sample"), key=lambda item: item[0]):
        yield point(float(layer) + 1, [*at["value"]])


BASELINE = False
