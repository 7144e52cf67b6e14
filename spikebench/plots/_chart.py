"""What a figure shows, and not how: panels with series of points and their intervals, for paper, for a page and for a terminal."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from spikebench import units
from spikebench.analysis.pairs import WIDEST
from spikebench.cases.subject import shown
from spikebench.plots._names import Names, named
from spikebench.plots._style import COLOURS
from spikebench.plots._style import colours as subject_colours

Form = Literal["line", "points", "bars", "falls", "steps"]
HOLLOW = "Hollow: n = 1, or an interval wider than a factor 2."
MOST = 6  # series of a panel that have a colour and a label


@dataclass(frozen=True)
class View:
    """What a person asks to see: some subjects only (all), a baseline that the others are compared with (none).

    `bold` is the subject that a page is about.
    """

    subjects: tuple[str, ...] = ()
    baseline: str | None = None
    bold: str | None = None

    def told(self, what: str) -> str:
        """What a figure shows of a metric, or of its ratios where there is a baseline: the beginning of its caption."""
        if self.baseline is None:
            return what
        return (
            f"{what.partition(':')[0]}, that of {self.baseline} over that of each subject: mean ratio of pairs of processes "
            "with its 95 % interval. Above 1 the subject needs less."
        )


EVERYTHING = View()


def means(name: str, subject: str) -> bool:
    """Whether a person who writes a name means a subject: it is the whole, its neuron, @backend, or all without options.

    Our kernels are `fused` in a name, or the backend that they are recorded as.
    """
    return any(_is(name, text) for text in dict.fromkeys((subject, shown(subject))))


def _is(name: str, subject: str) -> bool:
    neuron, backend = subject.partition("[")[0].partition("@")[0], subject.rpartition("@")[2]
    kind = backend.partition("[")[0]
    return name in (subject, neuron, f"@{backend}", f"@{kind}", f"{neuron}@{backend}", f"{neuron}@{kind}")


@dataclass(frozen=True)
class Point:
    """A value y at x with its 95 % interval over n processes, and the interval of x where x was measured too.

    `spread` holds 90 % of the samples; it stands for no interval. `base` is where a bar begins; `said` stands beside it.
    """

    x: float
    y: float
    low: float | None = None
    high: float | None = None
    n: int = 1
    across: tuple[float, float] | None = None
    spread: tuple[float, float] | None = None
    base: float | None = None
    said: str = ""

    @property
    def known(self) -> bool:
        """Whether it has an interval whose ends differ by less than a factor 2, or one around 0."""
        return self.low is not None and self.high is not None and (self.low <= 0 or self.high <= WIDEST * self.low)

    def interval(self, unit: str) -> str:
        """The interval as text, or why there is none."""
        if self.low is None or self.high is None:
            return f"(n = {self.n}: no interval)"
        wide = "" if self.known else ", wider than a factor 2"
        return f"[{value(self.low, unit)}, {value(self.high, unit)}], n = {self.n}{wide}"


@dataclass(frozen=True)
class Series:
    """The points of a subject. `note` stands under its label, such as a scaling exponent.

    `failed` are the x at which it was tried and gave no value. A muted series is grey and has no label; `group` joins
    series that are shown and hidden together, as the seeds of a subject, of which only the first has a label.
    """

    subject: str
    points: tuple[Point, ...]
    form: Form = "line"
    note: str = ""
    colour: str = ""
    muted: bool = False
    labelled: bool = True
    small: bool = False
    bold: bool = False
    failed: tuple[float, ...] = ()


@dataclass(frozen=True)
class Axis:
    """An axis: what it shows, in which unit ("s", "B", "J", "x" for a ratio), and how it is divided.

    `names` are what stands at 0, 1, 2 … on an axis of scale "names".
    """

    label: str
    unit: str = ""
    scale: Literal["log", "linear", "names"] = "log"
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Panel:
    """Series that share axes. `rule` is a line at some y with its name."""

    title: str
    series: tuple[Series, ...]
    rule: tuple[float, str] | None = None


@dataclass(frozen=True)
class Chart:
    """A figure. `ticks` are the x that were measured; `missing` says line by line what is not drawn and why.

    `legend` asks for a legend instead of labels at the ends, for bars.
    """

    title: str
    panels: tuple[Panel, ...]
    x: Axis
    y: Axis
    ticks: tuple[float, ...] = ()
    missing: tuple[str, ...] = ()
    legend: bool = False
    wide: bool = False
    names: Names = field(default_factory=lambda: Names({}, {}))

    def series(self) -> Iterator[Series]:
        """The series of all panels."""
        for panel in self.panels:
            yield from panel.series

    def points(self) -> Iterator[Point]:
        """The points of all series."""
        for one in self.series():
            yield from one.points

    def range(self) -> tuple[float, float] | None:
        """The y that must be seen, the same in all panels; a wide interval on a log axis runs out of it."""
        log = self.y.scale == "log"
        seen = [v for p in self.points() for v in (p.y, p.base) if v is not None]
        seen += [v for p in self.points() if p.known or not log for v in (p.low, p.high) if v is not None]
        seen += [panel.rule[0] for panel in self.panels if panel.rule]
        if not seen:
            return None
        low, high = min(seen), max(seen)
        if not log:
            pad = (high - low or 0.1) * 0.05
            return low - pad, high + pad
        pad = max(1.3, (high / low) ** 0.08) * (1.6 if any(s.form == "falls" for s in self.series()) else 1)
        return low / pad, high * pad

    def said(self) -> str:
        """What the caption says beside the data: shortened names, what is grey, hollow marks, and what is not drawn."""
        grey = list(dict.fromkeys(s.subject for s in self.series() if s.muted and s.labelled))
        parts = [f"{letter}: {text}." for letter, text in self.names.key.items()]
        parts += [f"Grey: {', '.join(map(self.names.of, grey))}; --subjects draws them in colour."] if grey else []
        if any(not p.known for s in self.series() if not s.small for p in s.points):
            parts.append(HOLLOW)
        if self.missing:
            parts.append(f"Not drawn: {'; '.join(self.missing)}.")
        return " ".join(parts)


def value(number: float, unit: str) -> str:
    """A number of an axis as text: a ratio as 2.00x, a count of steps as it is."""
    if unit == "x":
        return f"{units.digits(number)}x"
    if unit:
        return units.show(number, unit)
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def finished(chart: Chart) -> Chart:
    """The chart with names, and colours for the series that have none: in all panels the same where there are enough."""
    legend = chart.legend or any(s.form == "falls" for s in chart.series())
    names = Names({}, {}) if legend else named([s.subject for s in chart.series() if s.labelled or not s.muted])
    seen = list(dict.fromkeys(s.subject for s in chart.series() if not s.muted))
    few = subject_colours(seen) if len(seen) <= len(COLOURS) else None
    panels: list[Panel] = []
    for panel in chart.panels:
        mine = few or subject_colours([s.subject for s in panel.series if not s.muted])
        series = tuple(replace(s, colour=s.colour or mine.get(s.subject, "")) for s in panel.series)
        panels.append(replace(panel, series=series))
    return replace(chart, panels=tuple(panels), names=names)
