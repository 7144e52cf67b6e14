"""Series over T from a frame: values or ratios with their intervals, six lines of a family in colour and the others in grey."""

import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache

from spikebench import registry
from spikebench.analysis import paired, stats
from spikebench.cases.subject import GRAMMAR, shown
from spikebench.errors import Problem
from spikebench.plots._chart import MOST, Axis, Chart, Panel, Point, Series, View, finished, means
from spikebench.plots._style import NOT_MEASURED, Frame, missing, told_missing
from spikebench.records import store
from spikebench.records.record import Record

STEPS = "time steps T"
WITHOUT = "by a network without spikes"


def point(x: float, processes: Sequence[float], samples: Sequence[float] = ()) -> Point:
    """The geometric mean of the medians of processes with its t interval; with one process the spread of its samples."""
    logs = [math.log(v) for v in processes]
    low, high = map(_exp, stats.mean_interval(logs)) if len(logs) > 1 else (None, None)
    spread = None
    if len(logs) == 1 and len(samples) > 1:
        ends = statistics.quantiles(samples, n=20, method="inclusive")
        spread = (ends[0], ends[-1])
    return Point(x, math.exp(statistics.fmean(logs)), low, high, len(logs), spread=spread)


def _exp(log: float) -> float:
    return math.exp(min(log, 700.0))


def mean(x: float, values: Sequence[float]) -> Point:
    """The mean of values that may be 0 or negative, with its t interval."""
    low, high = stats.mean_interval(values) if len(values) > 1 else (None, None)
    return Point(x, statistics.fmean(values), low, high, len(values))


def values(frame: Frame, axis: str = "T") -> list[Series]:
    """A series per subject with the values of one metric over an axis. Only numbers above 0 are taken."""
    found: list[Series] = []
    for subject, part in frame[frame["value"].gt(0)].groupby("subject", sort=False):
        points = [
            point(float(x), [*at.groupby("record")["value"].median()], [*at["value"]]) for x, at in part.groupby(axis)
        ]
        found.append(Series(str(subject), tuple(points)))
    return found


def ratios(frame: Frame, metric: str, baseline: str) -> list[Series]:
    """A series per subject with the mean ratio of the baseline's pairs over T; see `paired.compared`."""
    by_case: dict[tuple[str, int], list[Record]] = {}
    for record in store.records(frame) if len(frame) else []:
        by_case.setdefault((str(record.case["subject"]), int(record.case["T"])), []).append(record)
    found: dict[str, list[Point]] = {}
    for (subject, T), mine in sorted(by_case.items(), key=lambda item: item[0][1]):
        base = by_case.get((baseline, T), [])
        if subject != baseline and base and (r := paired.compared(base, mine, metric).ratio):
            ends = (r.low, r.high) if r.n > 1 else (None, None)
            found.setdefault(subject, []).append(Point(T, r.estimate, *ends, n=r.n))
    return [Series(s, tuple(found[s])) for s in dict.fromkeys(s for s, _ in by_case) if s in found]


@lru_cache(maxsize=1000)
def family(subject: str) -> str:
    """The panel that a subject stands in where there are more than six: by what the file of its scheme says, or of its neuron."""
    match = GRAMMAR.match(subject)
    if match and match["scheme"]:
        said = registry.scheme_facts(match["scheme"])
        return "online" if said["ONLINE"] else WITHOUT if said["ANN_BRANCH"] else "all steps at once, or one"
    neuron = subject.partition("@")[0].partition("[")[0]
    if neuron not in registry.names("neurons"):
        return "own neurons"
    facts = registry.facts(neuron).attributes
    if neuron == "lif":
        return "LIF"
    if facts.stochastic:
        return "stochastic, parallel in time"
    return "parallel in time" if facts.parallel_in_time else "other sequential neurons"


def panels(series: Sequence[Series], view: View, rule: tuple[float, str] | None = None) -> tuple[Panel, ...]:
    """One panel for up to six series; else one per family, with six in colour and the others in grey.

    In colour are those that were measured furthest, and of these the lowest there. What a person names is all in colour.
    """
    if len(series) <= MOST:
        return (Panel("", tuple(series), rule),)
    made: list[Panel] = []
    for title in dict.fromkeys(sorted(map(family, (s.subject for s in series)), key=_place)):
        mine = [s for s in series if family(s.subject) == title]
        if view.subjects:
            parts = [mine[k : k + MOST] for k in range(0, len(mine), MOST)]
            made += [Panel(title, tuple(part), rule) for part in parts]
            continue
        first = sorted(mine, key=lambda s: (not s.bold, -s.points[-1].x, s.points[-1].y))[:MOST]
        grey = [replace(s, muted=True) for s in mine if s not in first]
        made.append(Panel(title, (*grey, *(s for s in mine if s in first)), rule))
    return tuple(made)


def named(subjects: Iterable[str], name: str) -> str:
    """The one of some subjects that a person names; Problem if there are none or several."""
    every = list(dict.fromkeys(subjects))
    found = [name] if name in every else [s for s in every if means(name, s)]
    if len(found) != 1:
        there = f"several: {', '.join(map(shown, found))}" if found else f"there are {', '.join(map(shown, every))}"
        raise Problem(f"no single baseline {name!r} in this figure; {there}")
    return found[0]


def _place(title: str) -> int:
    order = ("LIF", "other sequential neurons", "parallel in time", "stochastic, parallel in time")
    return order.index(title) if title in order else len(order)


def over_T(
    frame: Frame,
    everything: Frame,
    metric: str,
    view: View,
    title: str,
    y: Axis,
    rule: tuple[float, str] | None = None,
    note: Callable[[Frame], str] = lambda _: "",
) -> Chart | None:
    """The chart of a metric over T, or of its ratio to the baseline; None where there is nothing to draw.

    `everything` has all rows of the cases that belong into it, whatever came of them; `note` makes the text under a label.
    """
    if view.baseline is None:
        series = values(frame)
    else:
        baseline = named(frame["subject"], view.baseline)
        series = ratios(frame, metric, baseline)
        y, rule = Axis(f"{y.label}: {shown(baseline)} over each", "x"), (1.0, shown(baseline))
    found = missing(everything, metric)
    failed = {s: tuple(map(float, lengths)) for (s, why), lengths in found.items() if why != NOT_MEASURED}
    if not series:
        return None
    if view.baseline is None:
        series = [replace(s, note=note(frame[frame["subject"] == s.subject])) for s in series]
    series = [replace(s, failed=failed.get(s.subject, ()), bold=s.subject == view.bold) for s in series]
    ticks = tuple(sorted({p.x for s in series for p in s.points}))
    made = finished(Chart(title, panels(series, view, rule), Axis(STEPS), y, ticks))
    return replace(made, missing=told_missing(found, made.names.of))
