"""Draws a chart with matplotlib, for the screen or for a paper: labels at the ends of lines, hollow marks without an interval."""

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import matplotlib

from spikebench.errors import Problem
from spikebench.plots import _bars as bars
from spikebench.plots._chart import Axis, Chart, Panel, Series, value
from spikebench.plots._labels import RULE, label_ends, label_rule
from spikebench.plots._style import GREY, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Style:
    """A way to draw: widths in inches, the size of letters in points, whether there is a title, and the usual formats.

    A paper has its title in the caption, and its figures are as wide as a column or the page.
    """

    name: str
    widths: tuple[float, ...]
    letters: float
    titled: bool
    formats: tuple[str, ...]
    line: float


STYLES = {
    s.name: s
    for s in (
        Style("screen", (7.0,), 10, True, ("png", "svg"), 1.6),
        Style("paper", (3.25, 6.75), 7, False, ("pdf",), 1.1),
    )
}
INK, SOFT = "#222222", "#666666"


def style(name: str) -> Style:
    """A style by its name; Problem if there is none."""
    if name not in STYLES:
        raise Problem(f"no style {name!r}; there are {', '.join(STYLES)}")
    return STYLES[name]


@contextmanager
def applied(name: str = "screen") -> Iterator[None]:
    """Draw without a display, in one of our styles."""
    matplotlib.use("Agg")
    chosen = style(name)
    settings: dict[Any, Any] = {
        "figure.dpi": 100,
        "savefig.dpi": 160 if chosen.titled else 300,
        "figure.figsize": (7.0, 4.4),
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#DDDDDD",
        "grid.linewidth": 0.6 if chosen.titled else 0.4,
        "axes.linewidth": 0.8 if chosen.titled else 0.5,
        "axes.axisbelow": True,
        "axes.edgecolor": SOFT,
        "text.color": INK,
        "text.parse_math": False,  # a dollar sign in a name begins no formula
        "font.size": chosen.letters,
        "axes.labelsize": chosen.letters,
        "axes.titlesize": chosen.letters,
        "font.family": "DejaVu Sans",  # matplotlib brings it along
        "legend.frameon": False,
        "legend.fontsize": chosen.letters * 0.9,
        "svg.hashsalt": "spikebench",
        "pdf.fonttype": 42,  # TrueType, which journals ask for; the default is type 3
    }
    with matplotlib.rc_context(settings):
        yield


def metadata(ending: str) -> dict[str, None]:
    """File metadata without a date, so that the same data gives the same bytes."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})


def close(figure: "Figure") -> None:
    """Free a figure."""
    import matplotlib.pyplot as plt

    plt.close(figure)


def drawn(chart: Chart, chosen: Style, width: float) -> "Figure":
    """The chart as a figure of a width in inches, its panels side by side where they fit. Only inside `applied`."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import Patch

    count = len(chart.panels)
    columns = min(count, 1 if width < 5 else 3 if chart.wide and count > 4 else 2)
    whole = width if count == 1 or not chosen.titled else width * 1.45
    rows = -(-count // columns)
    each = whole / columns
    height = rows * min(4.0, max(2.0, each * (0.62 if count == 1 else 0.72))) + 0.3 * chosen.titled + 0.4 * chart.legend
    figure, grid = plt.subplots(
        rows, columns, sharex=chart.x.scale != "names", sharey=True, squeeze=False, figsize=(whole, height)
    )
    limits = chart.range()
    for axes, panel in zip(grid.flat, chart.panels, strict=False):
        _panel(axes, chart, panel, chosen, limits)
        axes.xaxis.set_tick_params(which="both", labelbottom=True)
    for axes in grid.flat[count:]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel(chart.y.label)
    if chart.legend:
        patches = {s.note or s.subject: Patch(facecolor=s.colour) for s in chart.series()}
        look_of = {"ncols": 3 if whole > 5 else 2, "fontsize": chosen.letters * 0.8}
        figure.legend([*patches.values()], [*patches], loc="outside lower center", **look_of)
    if chosen.titled and chart.title:
        title = "\n".join(
            textwrap.wrap(
                chart.title.replace(" = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"),
                int(whole * 72 / (chosen.letters * 0.68)),
                break_on_hyphens=False,
            )
        )
        figure.suptitle(title, x=0.01, ha="left", fontsize=chosen.letters, fontweight="bold")
    key = [f"{letter}: {text}" for letter, text in chart.names.key.items()]
    if key:
        across = int(whole * 72 / (chosen.letters * 0.8 * 0.58))
        text = "\n".join(line for k in key for line in textwrap.wrap(k, across, subsequent_indent="    "))
        figure.supxlabel(text, x=0.01, ha="left", fontsize=chosen.letters * 0.8, color=SOFT)
    label_ends(figure, list(zip(grid.flat, chart.panels, strict=False)), chart, chosen.letters)
    for axes, panel in zip(grid.flat, chart.panels, strict=False):
        if panel.rule is not None:
            label_rule(axes, *panel.rule, letters=chosen.letters * 0.8, colour=SOFT)
    if chart.x.scale == "log" and chart.ticks:
        for axes in grid.flat[:count]:
            _thin(axes, chart, chosen.letters)
    return figure


def _thin(axes: "Axes", chart: Chart, letters: float) -> None:
    """Leave only the x that have place for their text, from the longest down. The axes have their final size here."""
    points, edge = 72 / axes.get_figure(root=True).dpi, math.inf  # pyright: ignore[reportOptionalMemberAccess]  # it has one
    kept: list[float] = []
    for v in sorted(chart.ticks, reverse=True):
        at = float(axes.transData.transform((v, 1))[0]) * points
        half = 0.34 * letters * (len(value(v, chart.x.unit)) + 1)
        if at + half <= edge:
            kept.append(v)
            edge = at - half
    axes.set_xticks(kept, [value(v, chart.x.unit) for v in kept])


def _panel(axes: "Axes", chart: Chart, panel: Panel, chosen: Style, limits: tuple[float, float] | None) -> None:
    axes.set_yscale("log" if chart.y.scale == "log" else "linear")
    if chart.y.unit == "B" and chart.y.scale == "log":
        axes.set_yscale("log", base=2)
    if limits:
        axes.set_ylim(*limits)
    if panel.rule is not None:
        axes.axhline(panel.rule[0], color=SOFT, lw=0.8, zorder=RULE)
    ways = {"bars": bars.grouped, "falls": bars.falling}
    for number, one in enumerate(panel.series):
        if one.form in ways:
            ways[one.form](axes, one, number, len(panel.series), chosen.letters)
        else:
            _line(axes, one, chosen)
        if one.failed and not one.muted:
            edge = partial(axes.plot, transform=axes.get_xaxis_transform(), clip_on=False, linestyle="none", label="_")
            edge(one.failed, [1.0] * len(one.failed), marker="x", color=one.colour)
    _divide(axes, chart)
    axes.set_title(panel.title, loc="left")
    axes.set_xlabel(chart.x.label)


def _line(axes: "Axes", one: Series, chosen: Style) -> None:
    """A line with a mark at every point: full where its interval is narrow, hollow where there is none or it is wide."""
    how, points = look(one.subject), sorted(one.points, key=lambda p: p.x)
    colour = GREY if one.muted else one.colour
    width = chosen.line * (1.8 if one.bold else 0.5 if one.muted else 0.8 if one.small or not how.plain else 1.0)
    x, y, order = [p.x for p in points], [p.y for p in points], 2 if one.muted else 3
    if one.form == "steps":
        axes.step(x, y, where="post", label=one.subject, color=colour, lw=width, zorder=order)
        return
    dashes = (0, how.dashes) if how.dashes and not one.muted else "-"
    name = one.subject if one.labelled else f"_{one.subject}"
    line = "none" if one.form == "points" else dashes
    axes.plot(x, y, label=name, color=colour, lw=width, zorder=order, linestyle=line)
    if not one.muted:
        _intervals(axes, one, colour, width)
    if one.form == "line" and one.small:
        return
    size = chosen.letters * (0.25 if one.muted else 0.35 if one.small else 0.5)
    full = [p for p in points if p.known or one.small or one.muted]
    for some, face in ((full, colour), ([p for p in points if p not in full], "white")):
        if some:
            marks = partial(axes.plot, markerfacecolor=face, markeredgecolor=colour, mew=width * 0.7, zorder=4)
            marks([p.x for p in some], [p.y for p in some], how.marker, ms=size, label="_")


def _intervals(axes: "Axes", one: Series, colour: str, width: float) -> None:
    """The intervals as thin lines, and the spread of the samples of a single process as a wide pale one."""
    up, aside = (partial(draw, colors=colour, capstyle="butt") for draw in (axes.vlines, axes.hlines))
    if spread := [(p.x, *p.spread) for p in one.points if p.spread]:
        up(*zip(*spread, strict=True), lw=width * 3.5, alpha=0.2, zorder=2)
    if high := [(p.x, p.low, p.high) for p in one.points if p.low is not None]:
        up(*zip(*high, strict=True), lw=width, zorder=3)
    if wide := [(p.y, *p.across) for p in one.points if p.across]:
        aside(*zip(*wide, strict=True), lw=width, zorder=3)


def _divide(axes: "Axes", chart: Chart) -> None:
    """Marks on the axes with their units; the x axis of a log scale is marked where there are values."""
    if chart.x.scale == "names":
        axes.set_xticks(range(len(chart.x.names)), chart.x.names)
        if len(chart.x.names) > 3 and max(map(len, chart.x.names)) > 7:
            axes.tick_params(axis="x", labelrotation=30)
            for label in axes.get_xticklabels():
                label.set_horizontalalignment("right")
        axes.grid(axis="x", visible=False)
    elif chart.x.scale == "log":
        if len(chart.ticks) == 1:  # matplotlib warns where all there is has one x
            axes.set_xlim(chart.ticks[0] / 2, chart.ticks[0] * 2)
        axes.set_xscale("log")
        if chart.ticks:
            axes.set_xticks(chart.ticks, [value(v, chart.x.unit) for v in chart.ticks])
            axes.set_xticks([], minor=True)
        else:
            _unit_marks(axes.xaxis, chart.x)
            axes.tick_params(axis="x", which="both", labelrotation=30)
    elif chart.x.unit:
        axes.xaxis.set_major_formatter(lambda v, _: value(v, chart.x.unit))
    if chart.y.scale == "log":
        _unit_marks(axes.yaxis, chart.y)
    elif chart.y.unit == "%":
        axes.yaxis.set_major_formatter(lambda v, _: f"{round(100 * v, 4):g}%")


def _unit_marks(axis: Any, of: Axis) -> None:
    """Marks of a log axis with their unit; of those between the decades some, where fewer than two decades have one."""

    def between(number: float, _: int) -> str:
        low, high = sorted(axis.get_view_interval())
        if low <= 0 or math.floor(math.log10(high)) > math.ceil(math.log10(low)):
            return ""
        digit = round(number / 10 ** math.floor(math.log10(number) + 1e-9))
        return value(number, of.unit) if high / low < 3 or digit in (2, 3, 5) else ""

    axis.set_major_formatter(lambda v, _: value(v, of.unit))
    axis.set_minor_formatter(between)


def sized(what: "Chart | Figure", chosen: Style) -> Iterator[tuple[float, "Figure"]]:
    """The figure at every width of a style; one that matplotlib has drawn keeps its proportions."""
    for width in chosen.widths:
        if isinstance(what, Chart):
            yield width, drawn(what, chosen, width)
        else:
            if len(chosen.widths) > 1:
                across, high = what.get_size_inches()
                what.set_size_inches(width, high * width / across)
            yield width, what
