"""Bars of a chart: side by side with whiskers, or hanging from the level before down to their own."""

from functools import partial
from typing import TYPE_CHECKING

from spikebench.plots._chart import Point, Series, value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE = 0.82  # of the distance between two groups


def grouped(axes: "Axes", one: Series, number: int, count: int, letters: float) -> None:
    """The bars of one subject among several, each with its interval; hollow without one, or where it is wide."""
    width = WIDE / count
    low, _ = axes.get_ylim()
    for k, p in enumerate(one.points):
        x = p.x + (number - (count - 1) / 2) * width
        face = one.colour if p.known else "white"
        name = "_" if k else one.note or one.subject
        axes.bar(x, p.y - low, width * 0.86, bottom=low, color=face, edgecolor=one.colour, linewidth=0.9, label=name)
        if p.low is not None and p.high is not None:
            axes.plot([x, x], [p.low, p.high], color="#222222", lw=1, solid_capstyle="butt", label="_")
        if p.said:
            axes.annotate(
                p.said, (x, p.y), (0, 3), textcoords="offset points", ha="center", fontsize=letters * 0.7, rotation=90
            )


def falling(axes: "Axes", one: Series, number: int, count: int, letters: float) -> None:
    """Bars from the level of the step before down to their own, with the factor above and the level below.

    Grey and hatched from end to end of the interval where that is wide, or where there is none.
    """
    for p in one.points:
        before = p.base if p.base is not None else axes.get_ylim()[0]
        first = p.base is None
        known = first or p.known
        low, high = (p.y, before) if known or p.low is None or p.high is None else (p.low, p.high)
        low, high = sorted((low, high))
        bar = partial(axes.bar, p.x, high - low, bottom=low, width=0.62)
        if known:
            bar(color=one.colour, alpha=0.3 if first else 0.85, label="_" if first else one.subject)
        else:
            bar(facecolor="#EEEEEE", edgecolor="#888888", hatch="///", lw=0.5, label=one.subject)
        ahead = 0.31 if number == count - 1 else 1.31
        axes.plot([p.x - 0.31, p.x + ahead], [p.y] * 2, color="#444444", lw=0.8, ls="-" if known else ":", label="_")
        _texts(axes, p, low, high, letters * (0.72 if count > 3 else 0.95), known)


def _texts(axes: "Axes", p: Point, low: float, high: float, letters: float, known: bool) -> None:
    plain = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.5}  # a line may pass behind a number
    write = partial(axes.annotate, textcoords="offset points", ha="center", fontsize=letters)
    write(p.said.replace(" [", "\n["), (p.x, high), (0, 3), linespacing=1.1, bbox=plain, va="bottom")
    if known and p.base is not None:
        write(value(p.y, "s"), (p.x, low), (0, -3), color="#444444", va="top")
