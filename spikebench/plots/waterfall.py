"""From the slowest loop of LIF to the parallel neuron, step by step: how much each step takes off the time, per T."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from spikebench import units
from spikebench.analysis import paired, stats
from spikebench.analysis.pairs import WIDEST
from spikebench.analysis.select import medians
from spikebench.plots import _style as style
from spikebench.plots._chart import Axis, Chart, Panel, Point, Series, finished
from spikebench.plots._style import Frame
from spikebench.records import store
from spikebench.records.record import Record

STEPS = (
    ("lif", ("indexed",), "indexed loop"),
    ("lif", ("eager",), "unbind loop"),
    ("lif", ("compiled",), "compiled"),
    ("lif", ("fused", "cpu", "triton"), "fused kernel"),
    ("spsn", ("fused", "cpu", "triton"), "parallel neuron"),
)
BESIDE = ("spsn", ("fft",), "spsn@fft")
WHAT = (
    "Time of one launch from step to step. Each factor is the mean ratio of the pairs of processes, with its 95 % interval; "
    "the first level is the geometric mean of the process medians, each other one the level before over the factor. "
    "Grey and hatched: the interval, where it is wider than a factor 2, or n = 1; dotted: its middle, from which the next step "
    "hangs. The line: spsn@fft, as its authors compute it."
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


@dataclass(frozen=True)
class Group:
    """The times of one network (empty for a layer), mode, device, B and N, of a way to write the LIF and of other neurons."""

    key: tuple[str, str, str, int, int]
    options: str
    unusual: str
    rows: Frame


def figures(frame: Frame) -> Iterator[tuple[str, Chart, str]]:
    """One figure per network, mode, device, B and N and way to write the LIF with three steps in the same blocks."""
    for group in groups(frame):
        panels = {int(T): found for T, at in group.rows.groupby("T") if len(found := steps(store.records(at))) > 2}
        if panels:
            network, mode, device, b, n = group.key
            name = f"waterfall-{mode}-B{b}-N{n}-{device}" + (f"-{network}" if network else "") + group.unusual
            title = f"{network or 'layer'}, {mode}, B = {b}, N = {n}, {device}{group.unusual.replace('-', ', ')}"
            used = {s.subject for found in panels.values() for s in found}
            shown = group.rows[group.rows["T"].isin(list(panels)) & group.rows["subject"].isin(list(used))]
            about = f"{WHAT} LIF: {group.options}." if group.options else WHAT
            yield name, _chart(group.rows, panels, title), style.caption(shown, about)


def groups(frame: Frame) -> Iterator[Group]:
    """The times that belong into one figure."""
    times = frame[(frame["metric"] == "latency") & frame["value"].notna() & (frame["status"] == "ok")]
    for unusual, same in style.alike(times, "workload", "network", "task", "device"):
        keys = ["network", "mode", "device", "B", "N"]
        for key, part in same.assign(network=same["network"].fillna("")).groupby(keys):
            for lif in dict.fromkeys(_name(s) for s in part.loc[part["neuron"] == "lif", "subject"]):
                mine = part[(part["neuron"] != "lif") | part["subject"].map(_name).eq(lif)]
                yield Group(key, lif.partition("[")[2].rstrip("]"), unusual, mine)


def _name(subject: str) -> str:
    return subject.partition("@")[0]


def steps(records: list[Record]) -> list[Step]:
    """The steps at one length; of several subjects that could be a step, the one with the most pairs with that before."""
    found: list[Step] = []
    before: list[Record] = []
    for neuron, backends, label in STEPS:
        step = next_step(records, neuron, backends, label, before, found[-1].level if found else math.nan)
        if step is not None:
            found.append(step)
            before = [r for r in records if r.case["subject"] == step.subject]
    return found


def next_step(
    records: list[Record], neuron: str, backends: tuple[str, ...], label: str, before: list[Record], level: float
) -> Step | None:
    """The step to a neuron on one of these backends, of the subject with the most pairs with what was before."""
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


def _chart(times: Frame, panels: dict[int, list[Step]], title: str) -> Chart:
    labels = [label for _, _, label in STEPS if any(s.label == label for found in panels.values() for s in found)]
    made: list[Panel] = []
    for T, found in panels.items():
        bars = [
            Series(
                s.subject,
                (_bar(labels.index(s.label), s, found[k - 1].level if k else None),),
                "falls",
                colour=style.colour(s.neuron),
            )
            for k, s in enumerate(found)
        ]
        made.append(Panel(f"T = {T:,}", tuple(bars), _beside(times[times["T"] == T], found)))
    names = Axis("", "", "names", tuple(labels))
    return finished(Chart(title, tuple(made), names, Axis("time of one launch", "s"), wide=True))


def _bar(at: int, step: Step, before: float | None) -> Point:
    """A bar from the level before down to its own, with the ends of its interval as times."""
    r = step.ratio
    if r is None or before is None:
        return Point(at, step.level, said=_text(step))
    ends = (before / r.high, before / r.low) if r.n > 1 else (None, None)
    return Point(at, step.level, *ends, n=r.n, base=before, said=_text(step))


def _beside(times: Frame, found: list[Step]) -> tuple[float, str] | None:
    """The level of the parallel neuron as its authors compute it, as far as its pairs with the last step tell."""
    if found[-1].neuron != BESIDE[0]:
        return None
    records = store.records(times)
    last = [r for r in records if r.case["subject"] == found[-1].subject]
    beside = next_step(records, *BESIDE, last, found[-1].level)
    return (beside.level, BESIDE[2]) if beside else None


def _text(step: Step) -> str:
    """What stands above a bar: the time of the first, the factor of the others; no point estimate on a wide interval."""
    r = step.ratio
    if r is None:
        return units.show(step.level, "s")
    interval = f"[{units.digits(r.low)}, {units.digits(r.high)}]"
    return f"{units.digits(r.estimate)}x\n{interval}" if step.known else f"{interval}x" if r.n > 1 else "n = 1"
