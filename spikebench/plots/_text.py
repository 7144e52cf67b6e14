"""Draws a chart as text for a terminal: a grid of letters, one per subject, and the values with their intervals below it."""

import itertools
import math
import textwrap
from collections.abc import Callable

from spikebench.plots._chart import HOLLOW, Axis, Chart, Panel, Series, value

HEIGHT = 14
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def drawn(chart: Chart, caption: str, width: int = 80) -> str:
    """The title, every panel and the caption. Where two subjects meet stands a star."""
    parts = [chart.title] if chart.title else []
    parts += [_panel(chart, panel, width) for panel in chart.panels]
    return "\n\n".join([*parts, textwrap.fill(caption.replace(f" {HOLLOW}", ""), width)]) + "\n"


def _panel(chart: Chart, panel: Panel, width: int) -> str:
    shown = [s for s in panel.series if s.points and s.form != "steps"]
    labelled = list(dict.fromkeys(s.subject for s in shown if s.labelled and not s.muted))
    letters = {s.subject: "." if s.muted else LETTERS[labelled.index(s.subject) % 26] for s in shown}
    lines = [panel.title] if panel.title else []
    lines += _grid(chart, shown, letters, width)
    for one in shown:
        if one.labelled and not one.muted:
            last = max(one.points, key=lambda p: p.x)
            name = (one.note if chart.legend else "") or chart.names.of(one.subject)
            where = chart.x.names[int(last.x)] if chart.x.scale == "names" else value(last.x, chart.x.unit)
            note = f"  {one.note}" if one.note and not chart.legend else ""
            said = last.said.replace("\n", " ") or last.interval(chart.y.unit)
            at = f"{value(last.y, chart.y.unit)} at {where} {said}"
            lines.append(f"  {letters[one.subject]}  {name}: {at}{note}")
    return "\n".join(lines)


def _grid(chart: Chart, shown: list[Series], letters: dict[str, str], width: int) -> list[str]:
    """The points in rows and columns, with the ends of both axes."""
    points = [p for s in shown for p in s.points]
    if not points:
        return []
    low, high = min(p.y for p in points), max(p.y for p in points)
    ends = [value(v, chart.y.unit) for v in (high, low)]
    margin = max(map(len, ends)) + 1
    across = max(20, width - margin - 1)
    row = _scale(chart.y, low, high, HEIGHT - 1)
    column = _scale(chart.x, min(p.x for p in points), max(p.x for p in points), across - 1)
    grid = [[" "] * across for _ in range(HEIGHT)]
    for one in sorted(shown, key=lambda s: not s.muted):
        ends_of = sorted((column(p.x), row(p.y)) for p in one.points)
        for (x, y), (to, up) in itertools.pairwise(ends_of if one.form == "line" else []):
            for k in range(x + 1, to):
                cell = grid[HEIGHT - 1 - round(y + (up - y) * (k - x) / (to - x))]
                cell[k] = "·" if cell[k] == " " else cell[k]
        for p in one.points:
            y, x = HEIGHT - 1 - row(p.y), column(p.x)
            there = grid[y][x]
            grid[y][x] = letters[one.subject] if there in " ·." + letters[one.subject] else "*"
    heads = [ends[0], *[""] * (HEIGHT - 2), ends[1]]
    lines = [f"{head:>{margin}}|{''.join(cells)}".rstrip() for head, cells in zip(heads, grid, strict=True)]
    names = chart.x.names
    first, last = (
        (names[0], names[-1])
        if names
        else (value(v, chart.x.unit) for v in (min(p.x for p in points), max(p.x for p in points)))
    )
    middle = chart.x.label.center(max(0, across - len(first) - len(last)))
    return [f"{chart.y.label}", *lines, " " * margin + "+" + "-" * across, " " * (margin + 1) + first + middle + last]


def _scale(axis: Axis, low: float, high: float, cells: int) -> Callable[[float], int]:
    """From a value to the number of its cell."""
    way: Callable[[float], float] = math.log if axis.scale == "log" and low > 0 else float
    start, wide = way(low), way(high) - way(low)
    return lambda v: round((way(v) - start) / wide * cells) if wide else cells // 2
