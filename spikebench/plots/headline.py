"""What makes a published loop fast: how much without changing the neuron, and how much by changing it, at the longest T."""

import math
from collections.abc import Iterator

from spikebench import units
from spikebench.analysis import stats
from spikebench.plots import _style as style
from spikebench.plots._chart import Axis, Chart, Panel, Point, Series, finished
from spikebench.plots._style import Frame
from spikebench.plots.waterfall import STEPS, Step, groups, next_step
from spikebench.records import store
from spikebench.records.record import Record

FUSED = STEPS[3][1]
SIDES = (
    ("lif", ("indexed",), "published loop"),
    ("lif", FUSED, "same neuron,\none fused kernel"),
    ("spsn", FUSED, "parallel neuron,\none fused kernel"),
)
WHAT = (
    "Time of one training step of a layer: LIF in the published loop, which indexes x[t]; the same LIF, whose spikes and gradients "
    "passed the gate, in one fused kernel; the stochastic parallel neuron in one fused kernel. Each factor is the mean ratio of the pairs of processes "
    "with its 95 % interval; the first level is the geometric mean of the process medians."
)


def figures(frame: Frame) -> Iterator[tuple[str, Chart, str]]:
    """One figure per way to write the LIF, device, B and N, at the longest T at which the pairs of both factors are there."""
    for group in groups(frame):
        if group.key[:2] != ("", "train"):
            continue
        for T, at in sorted(group.rows.groupby("T"), key=lambda item: -item[0]):
            found = _sides(store.records(at))
            if found is not None:
                _, mode, device, b, n = group.key
                shown = at[at["subject"].isin([s.subject for s in found])]
                name = f"headline-{mode}-T{T}-B{b}-N{n}-{device}{group.unusual}"
                about = f"{WHAT} LIF: {group.options}." if group.options else WHAT
                yield name, _chart(found, int(T)), style.caption(shown, about)
                break


def _sides(records: list[Record]) -> list[Step] | None:
    """The loop, the fused kernel and the parallel neuron, if both factors are known."""
    found: list[Step] = []
    before: list[Record] = []
    for neuron, backends, label in SIDES:
        step = next_step(records, neuron, backends, label, before, found[-1].level if found else math.nan)
        if step is None or (found and not step.known):
            return None
        found.append(step)
        before = [r for r in records if r.case["subject"] == step.subject]
    return found


def _chart(found: list[Step], T: int) -> Chart:
    same, other = (_times(s.ratio) for s in found[1:] if s.ratio)
    bars = [
        Series(s.subject, (_point(k, s, found[k - 1].level if k else None),), "falls", colour=style.colour(s.neuron))
        for k, s in enumerate(found)
    ]
    names = Axis("", "", "names", tuple(label for _, _, label in SIDES))
    title = f"T = {T:,}: {same} without changing the neuron, {other} by changing it"
    return finished(Chart(title, (Panel("", tuple(bars)),), names, Axis("time of one training step", "s")))


def _times(r: stats.Ratio) -> str:
    """How many times as fast; where the interval contains 1, that there is no difference to be told."""
    if r.low <= 1 <= r.high:
        return "no faster or slower"
    return f"{r.estimate:,.0f} times as fast" if r.estimate >= 10 else f"{r.estimate:.2f} times as fast"


def _point(at: int, step: Step, before: float | None) -> Point:
    r = step.ratio
    if r is None or before is None:
        return Point(at, step.level, said=units.show(step.level, "s"))
    said = f"{units.digits(r.estimate)}x [{units.digits(r.low)}, {units.digits(r.high)}], n = {r.n}"
    return Point(at, step.level, before / r.high, before / r.low, r.n, base=before, said=said)
