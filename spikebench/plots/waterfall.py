"""From the slowest loop of LIF to the parallel neuron, step by step: how much each step takes off the time, per T."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.pairs import WIDEST
from spikebench.analysis.select import medians
from spikebench.plots import _style as style
from spikebench.plots._style import Frame
from spikebench.records import store
from spikebench.records.record import Record

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
BESIDE = ("spsn", ("fft",), "spsn@fft")
WHAT = (
    "Time of one launch from step to step. Each factor is the mean ratio of the pairs of processes, with its 95 % interval; "
    "the first level is the geometric mean of the process medians, each other one the level before over the factor. "
    "Grey and hatched: the interval, where it is wider than a factor 2, or n = 1; dotted: its middle, from which the next step "
    "hangs. Dashed: spsn@fft, as its authors compute it."
)


@dataclass(frozen=True)
class Step:
    """A bar: `level` is the time that it comes down to, `ratio` the factor from the step before; None for the first."""

    label: str
    neuron: str
    subject: str
    level: float
    ratio: stats.Ratio | None

    @property
    def known(self) -> bool:
        """Whether the factor is a number: the interval exists and is narrower than a factor 2."""
        return self.ratio is not None and self.ratio.n > 1 and self.ratio.high <= WIDEST * self.ratio.low


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per network, mode, device, B and N and way to write the LIF with three steps in the same blocks."""
    times = frame[(frame["metric"] == "latency") & frame["value"].notna() & (frame["status"] == "ok")]
    for unusual, same in style.alike(times, "workload", "network", "task", "device"):
        for key, part in same.assign(network=same["network"].fillna("")).groupby(
            ["network", "mode", "device", "B", "N"]
        ):
            network, mode, device, b, n = key  # network: empty for a layer
            for lif in dict.fromkeys(_name(s) for s in part.loc[part["neuron"] == "lif", "subject"]):
                mine = part[(part["neuron"] != "lif") | part["subject"].map(_name).eq(lif)]
                panels = {int(T): found for T, at in mine.groupby("T") if len(found := steps(store.records(at))) > 2}
                if panels:
                    options = lif.partition("[")[2].rstrip("]")
                    name = f"waterfall-{mode}-B{b}-N{n}-{device}" + (f"-{network}" if network else "") + unusual
                    title = f"{network or 'layer'}, {mode}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}"
                    used = {s.subject for found in panels.values() for s in found}
                    shown = mine[mine["T"].isin(list(panels)) & mine["subject"].isin(list(used))]
                    about = f"{WHAT} LIF: {options}." if options else WHAT
                    yield name, _figure(mine, panels, title), style.caption(shown, about)


def _name(subject: str) -> str:
    return subject.partition("@")[0]


def steps(records: list[Record]) -> list[Step]:
    """The steps at one length; of several subjects that could be a step, the one with the most pairs with that before."""
    found: list[Step] = []
    before: list[Record] = []
    for neuron, backends, label in STEPS:
        step = _next(records, neuron, backends, label, before, found[-1].level if found else math.nan)
        if step is not None:
            found.append(step)
            before = [r for r in records if r.case["subject"] == step.subject]
    return found


def _next(
    records: list[Record], neuron: str, backends: tuple[str, ...], label: str, before: list[Record], level: float
) -> Step | None:
    sides: dict[str, list[Record]] = {}
    for r in records:
        if r.case["neuron"] == neuron and r.case["backend"] in backends:
            sides.setdefault(str(r.case["subject"]), []).append(r)
    if not sides:
        return None
    if not before:
        subject = max(sides, key=lambda s: (len(sides[s]), -len(s)))
        return Step(label, neuron, subject, statistics.geometric_mean(medians(sides[subject])), None)
    ratios = {s: r for s, mine in sides.items() if (r := paired.compared(before, mine).ratio)}
    if not ratios:
        return None
    subject = max(ratios, key=lambda s: (ratios[s].n, -len(s)))
    return Step(label, neuron, subject, level / ratios[subject].estimate, ratios[subject])


def _figure(times: Frame, panels: dict[int, list[Step]], title: str) -> "Figure":
    figure, axes = plt.subplots(
        1, len(panels), sharey=True, squeeze=False, figsize=(max(3.9 * len(panels) + 0.8, 6), 4.6)
    )
    levels = [end for found in panels.values() for k, step in enumerate(found) for end in _ends(found, k, step)]
    axes[0][0].set_yscale("log")
    axes[0][0].set_ylim(min(levels) / 3, max(levels) * 3)
    for panel, (T, found) in zip(axes[0], panels.items(), strict=True):
        _panel(panel, times[times["T"] == T], found)
        panel.set_title(f"T = {T:,}", loc="left")
    axes[0][0].set_ylabel("time of one launch (s)")
    figure.suptitle(title, x=0.01, ha="left", fontsize=10)
    return figure


def _ends(found: list[Step], k: int, step: Step) -> list[float]:
    """What must be seen of a bar."""
    wide = step.ratio is not None and step.ratio.n > 1 and not step.known
    before = found[k - 1].level if k else step.level
    return [step.level, before / step.ratio.high, before / step.ratio.low] if wide and step.ratio else [step.level]


def _panel(axes: "Axes", times: Frame, found: list[Step]) -> None:
    """Bars that hang from the time of the step before down to their own."""
    for k, step in enumerate(found):
        before = found[k - 1].level if k else axes.get_ylim()[0]
        _bar(axes, k, step, before)
        ahead = 1.31 if k + 1 < len(found) else 0.31
        axes.plot(
            [k - 0.31, k + ahead], [step.level] * 2, color="#444444", lw=0.8, ls="-" if step.known or not k else ":"
        )
    last = [r for r in store.records(times) if r.case["subject"] == found[-1].subject]
    beside = _next(store.records(times), *BESIDE, last, found[-1].level) if found[-1].neuron == BESIDE[0] else None
    if beside is not None:
        axes.axhline(beside.level, color=style.colour(BESIDE[0]), ls="--", lw=1)
    axes.set_xticks(range(len(found)), [step.label for step in found], rotation=35, ha="right", fontsize=8)
    axes.grid(axis="x", visible=False)


def _bar(axes: "Axes", k: int, step: Step, before: float) -> None:
    """One bar with its factor above and its level below; of a factor that is not known the interval alone."""
    plain = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}  # a line may pass behind a number
    look = {"textcoords": "offset points", "ha": "center", "fontsize": 7}
    low, high = sorted((before, step.level))
    if step.ratio is None or step.known:
        axes.bar(
            k, high - low, bottom=low, width=0.62, color=style.colour(step.neuron), alpha=0.8 if step.ratio else 0.25
        )
    elif step.ratio.n > 1:
        low, high = before / step.ratio.high, before / step.ratio.low
        axes.bar(k, high - low, bottom=low, width=0.62, facecolor="#DDDDDD", edgecolor="#888888", hatch="///", lw=0.5)
    else:
        axes.bar(k, high - low, bottom=low, width=0.62, facecolor="white", edgecolor="#888888", hatch="///", lw=0.5)
    axes.annotate(_text(step), (k, high), (0, 3), linespacing=1.1, bbox=plain, **look)
    if step.known:
        axes.annotate(units.show(step.level, "s"), (k, low), (0, -9), color="#444444", **look)


def _text(step: Step) -> str:
    """What stands above a bar: the time of the first, the factor of the others; no point estimate on a wide interval."""
    r = step.ratio
    if r is None:
        return units.show(step.level, "s")
    interval = f"[{units.digits(r.low)}, {units.digits(r.high)}]"
    return f"{units.digits(r.estimate)}x\n{interval}" if step.known else f"{interval}x" if r.n > 1 else "n = 1"
