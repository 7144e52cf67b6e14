"""From the slowest loop of LIF to the parallel neuron, step by step: how much each step takes off the time, per T."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench import stats, units
from spikebench.plots import style
from spikebench.plots.style import Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STEPS = (
    ("lif", ("indexed",), "indexed loop"),
    ("lif", ("eager",), "unbind loop"),
    ("lif", ("compiled",), "compiled"),
    ("lif", ("cpu", "triton"), "fused kernel"),
    ("spsn", ("cpu", "triton"), "parallel neuron"),
)
BESIDE = ("spsn", "fft")


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per network, mode, device, B and N where two steps or more were measured in the same blocks."""
    times = frame[(frame["metric"] == "latency") & frame["value"].notna() & (frame["status"] == "ok")]
    named = times.assign(network=times["network"].fillna(""))
    for key, part in named.groupby(["network", "mode", "device", "B", "N"]):
        network, mode, device, b, n = key  # network: empty for a layer
        lengths = [int(t) for t in sorted(part["T"].unique()) if len(_medians(part[part["T"] == t])) > 2]
        if lengths:
            shown = part[part["T"].isin(lengths)]
            what = (
                "Time of one launch from step to step; each factor is the mean ratio of process medians in the same "
                "blocks, with its 95 % interval. Dashed: spsn@fft, as its authors compute it."
            )
            name = f"waterfall-{mode}-B{b}-N{n}-{device}" + (f"-{network}" if network else "")
            yield (
                name,
                _figure(shown, lengths, f"{network or 'layer'}, {mode}, B = {b}, N = {n}, {device}"),
                style.caption(shown, what),
            )


def _figure(times: Frame, lengths: list[int], title: str) -> "Figure":
    figure, panels = plt.subplots(
        1, len(lengths), sharey=True, squeeze=False, figsize=(max(3.9 * len(lengths) + 0.8, 6), 4.6)
    )
    parts = [_medians(times[times["T"] == T]) for T in lengths]
    levels = [stats.median(list(found.values())) for steps in parts for _, _, found in steps]
    panels[0][0].set_yscale("log")
    panels[0][0].set_ylim(min(levels) / 4, max(levels) * 4)
    for axes, T, steps in zip(panels[0], lengths, parts, strict=True):
        _panel(axes, times[times["T"] == T], steps)
        axes.set_title(f"T = {T:,}", loc="left")
    panels[0][0].set_ylabel("time of one launch (s)")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def _panel(axes: "Axes", times: Frame, steps: "list[Step]") -> None:
    """Bars that hang from the time of the step before down to their own."""
    levels = [stats.median(list(found.values())) for _, _, found in steps]
    plain = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}  # a line may pass behind a number
    for k, (_, neuron, found) in enumerate(steps):
        before, colour = (levels[k - 1] if k else axes.get_ylim()[0]), style.colour(neuron)
        low, high = sorted((before, levels[k]))
        axes.bar(k, high - low, bottom=low, width=0.62, color=colour, alpha=0.25 if not k else 0.8)
        axes.plot([k - 0.31, k + (1.31 if k + 1 < len(steps) else 0.31)], [levels[k]] * 2, color="#444444", lw=0.8)
        text = units.show(levels[k], "s") if not k else _factor(steps[k - 1][2], found)
        axes.annotate(
            text, (k, high), (0, 3), textcoords="offset points", ha="center", fontsize=7, linespacing=1.1, bbox=plain
        )
        if k:
            below = units.show(levels[k], "s")
            axes.annotate(
                below, (k, low), (0, -9), textcoords="offset points", ha="center", fontsize=7, color="#444444"
            )
    beside = times[(times["neuron"] == BESIDE[0]) & (times["backend"] == BESIDE[1])]
    if len(beside):
        axes.axhline(float(beside["value"].median()), color=style.colour(BESIDE[0]), ls="--", lw=1)
    axes.set_xticks(range(len(steps)), [label for label, _, _ in steps], rotation=35, ha="right", fontsize=8)
    axes.grid(axis="x", visible=False)


Step = tuple[str, str, dict[tuple[str, int], float]]


def _medians(times: Frame) -> list[Step]:
    """Label, neuron and process medians by block of each step that was measured."""
    found: list[Step] = []
    for neuron, backends, label in STEPS:
        part = times[(times["neuron"] == neuron) & times["backend"].isin(backends)]
        if len(part):
            medians = part.groupby(["run", "repeat"])["value"].median()
            found.append((label, neuron, {(str(run), int(r)): float(v) for (run, r), v in medians.items()}))
    return found


def _factor(before: dict[tuple[str, int], float], after: dict[tuple[str, int], float]) -> str:
    keys = sorted(before.keys() & after.keys())
    if not keys:
        return "not in the same block"
    r = stats.paired_ratio([before[k] for k in keys], [after[k] for k in keys])
    interval = f"\n[{units.digits(r.low)}, {units.digits(r.high)}]" if r.n > 1 else ""
    return f"{units.digits(r.estimate)}x{interval}"
