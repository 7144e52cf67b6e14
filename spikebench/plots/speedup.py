"""Speed-up over the eager loop of LIF against T; the baseline is named on the axis."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench.analysis import paired, stats
from spikebench.plots import _style as style
from spikebench.plots._style import Frame
from spikebench.records import store
from spikebench.records.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BASELINE = "lif@eager"


WHAT = (
    f"Speed-up over {BASELINE} (warm, unbind loop): mean ratio of pairs of processes, bars: 95 % interval. "
    "Hollow: one pair, which has no interval."
)


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per mode, B and N in which the baseline and another subject were measured in the same blocks."""
    for unusual, same in style.alike(frame[frame["workload"] != "training"]):
        for (mode, b, n), part in same.groupby(["mode", "B", "N"]):
            times = part[(part["metric"] == "latency") & part["value"].notna()]
            lines = speedups(times)
            if times["T"].nunique() > 1 and any(lines.values()):
                title = f"{mode}, B = {b}, N = {n}{unusual.replace('-', ', ')}"
                name = f"speedup-{mode}-B{b}-N{n}{unusual}"
                yield name, _figure(lines, title), style.caption(times, WHAT)


def speedups(times: Frame) -> dict[str, dict[int, stats.Ratio]]:
    """The ratio of the baseline's pairs with every other subject, by T; see `paired.compared`."""
    by_case: dict[tuple[str, int], list[Record]] = {}
    for record in store.records(times) if len(times) else []:
        by_case.setdefault((record.case["subject"], record.case["T"]), []).append(record)
    found: dict[str, dict[int, stats.Ratio]] = {s: {} for s, _ in by_case if s != BASELINE}
    for (subject, T), mine in sorted(by_case.items(), key=lambda item: item[0][1]):
        if subject != BASELINE and (base := by_case.get((BASELINE, T))) and (r := paired.compared(base, mine).ratio):
            found[subject][T] = r
    return found


def _figure(lines: dict[str, dict[int, stats.Ratio]], title: str) -> "Figure":
    figure, axes = plt.subplots()
    for subject, ratios in lines.items():
        look = style.line(subject)
        axes.plot(list(ratios), [r.estimate for r in ratios.values()], label=subject, **look)
        for T, r in ratios.items():
            if r.n > 1:
                axes.plot([T, T], [r.low, r.high], color=look["color"], lw=1.2, label="_")
            else:
                axes.plot([T], [r.estimate], marker=look["marker"], ms=3, color="white", zorder=3, label="_")
    axes.axhline(1, color="#666666", lw=1)
    style.log_axes(axes, "time steps T", f"speed-up over {BASELINE}", [T for ratios in lines.values() for T in ratios])
    axes.yaxis.set_major_formatter(lambda v, _: f"{v:g}x")
    axes.set_title(title, loc="left")
    style.legend(axes, "subject")
    return figure
