"""Figures in a page that needs nothing else: charts are drawn by uPlot, which is inside the page, with values to hover and lines to hide.

`element` makes the HTML of a figure, `style` and `script` are what a page with figures has once. The page defines the colours
--ink, --soft, --paper, --card and --line, for light and for dark.
"""

import base64
import html
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from spikebench.cases.subject import shown
from spikebench.plots import Drawing, figures
from spikebench.plots._chart import EVERYTHING, Axis, Chart, Panel, Point, Series, View, value
from spikebench.plots._style import look as look_of
from spikebench.records import store
from spikebench.records.record import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def script() -> str:
    """The JavaScript of a page with figures: uPlot with its licence (MIT), which asks for that, and what draws our charts."""
    licence = _file("_uplot/LICENSE").strip()
    return f"/*!\nuPlot: {licence}\n*/\n{_file('_uplot/uPlot.iife.min.js')}\n{_file('_charts.js')}"


def style() -> str:
    """The CSS of a page with figures."""
    return f"{_file('_uplot/uPlot.min.css')}\n{_file('_charts.css')}"


def _file(name: str) -> str:
    return resources.files("spikebench.report").joinpath(name).read_text("utf-8")


def element(drawing: Drawing, kind: str = "") -> str:
    """The HTML of a figure with its caption, and of a chart the table of its values, which needs no script."""
    caption = html.escape(drawing.caption)
    if not isinstance(drawing.what, Chart):
        image, wide = _picture(drawing.what)
        alt = html.escape(f"{kind}: {drawing.caption}".removeprefix(": "))
        picture = f'<img alt="{alt}" src="data:image/svg+xml;base64,{image}">'
        look = ' class="wide"' if wide else ""
        return f"<figure{look}>{picture}<figcaption>{caption}</figcaption></figure>"
    chart = drawing.what
    data = json.dumps(payload(chart), separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    wide = " wide" if len(chart.panels) > 1 else ""
    return (
        f'<figure class="chart{wide}"><p class="chart-title">{html.escape(chart.title)}</p>'
        f'<script type="application/json">{data}</script><div class="panels"></div><div class="keys" hidden></div>'
        f"<figcaption>{caption}</figcaption>{_table(chart, drawing.name)}</figure>"
    )


def elements(kind: str, records: Iterable[Record], view: View = EVERYTHING) -> list[str]:
    """The HTML of every figure of a kind that records allow, such as "scaling" with `View(bold=...)` for one's own neuron."""
    return [element(drawing, kind) for drawing in figures(kind, store.frame(records, details=True), view)]


def _picture(figure: "Figure") -> tuple[str, bool]:
    """What matplotlib has drawn as SVG in base 64, and whether it is much wider than high."""
    from spikebench.plots import _draw

    made = io.BytesIO()
    figure.savefig(made, format="svg", metadata=_draw.metadata("svg"))
    _draw.close(figure)
    size = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', made.getvalue())
    return base64.b64encode(made.getvalue()).decode(), bool(size and float(size[1]) > 2 * float(size[2]))


@dataclass(frozen=True)
class Shown:
    """A point as the script takes it: text for the hover, and whether its interval is narrow."""

    x: float
    y: float
    low: float | None
    high: float | None
    base: float | None
    across: tuple[float, float] | None
    known: bool
    said: str
    text: str


def payload(chart: Chart) -> dict[str, object]:
    """A chart as JSON for the script: axes, ticks, the range of y, and panels of series of points."""
    return {
        "title": chart.title,
        "x": vars(chart.x),
        "y": vars(chart.y),
        "ticks": chart.ticks,
        "range": chart.range(),
        "legend": chart.legend,
        "panels": [
            {"title": p.title, "rule": p.rule, "series": [_series(chart, s) for s in p.series]} for p in chart.panels
        ],
    }


def _series(chart: Chart, s: Series) -> dict[str, object]:
    name = (s.note if chart.legend else "") or chart.names.of(s.subject)
    return {
        "group": shown(s.subject),
        "key": name,
        "label": name if s.labelled else "",
        "note": "" if chart.legend else s.note,
        "colour": s.colour,
        "muted": s.muted,
        "small": s.small,
        "bold": s.bold,
        "form": s.form,
        "dash": look_of(s.subject).dashes if s.form == "line" and not s.muted else (),
        "points": [vars(_point(chart, s, p)) for p in sorted(s.points, key=lambda p: p.x)],
    }


def _point(chart: Chart, s: Series, p: Point) -> Shown:
    text = "\n".join(
        (s.note if chart.legend and s.note else shown(s.subject), f"{_at(chart.x, p)}: {_said(chart.y, s, p)}")
    )
    return Shown(p.x, p.y, p.low, p.high, p.base, p.across, p.known, p.said.replace(" [", "\n["), text)


def _at(x: Axis, p: Point) -> str:
    name = "T" if x.label.endswith(" T") else x.label
    where = x.names[int(p.x)] if x.names else value(p.x, x.unit)
    return f"{name} = {where}" if name else where.replace("\n", " ")


def _said(y: Axis, s: Series, p: Point) -> str:
    """The value with its interval, and with one process the spread of its samples."""
    told = f"{100 * p.y:.2f}%" if y.unit == "%" else value(p.y, y.unit)
    if s.small:
        return told
    if s.form == "falls":
        factor = p.said.replace("\n", " ")
        return f"{told}, {factor}" if p.base is not None else told
    spread = f"; 90 % of its samples: {' to '.join(value(v, y.unit) for v in p.spread)}" if p.spread else ""
    if y.unit == "%" and p.low is not None and p.high is not None:
        return f"{told} [{100 * p.low:.2f}%, {100 * p.high:.2f}%], n = {p.n}"
    return f"{told} {p.interval(y.unit)}{spread}"


def _table(chart: Chart, name: str) -> str:
    """Every value as a table that is folded: for those who cannot see the drawing, and for copying."""
    rows = [
        f"<tr><th scope=row>{html.escape(shown(s.subject))}</th>"
        + (f"<td>{html.escape(panel.title)}</td>" if len(chart.panels) > 1 else "")
        + f"<td>{html.escape(_at(chart.x, p))}</td><td>{html.escape(_said(chart.y, s, p))}</td></tr>"
        for panel, s in _rows(chart)
        for p in s.points
    ]
    heads = ("subject", *(["panel"] if len(chart.panels) > 1 else []), "at", chart.y.label)
    head = "".join(f"<th scope=col>{html.escape(h)}</th>" for h in heads)
    about = html.escape(f"Values of {name}", quote=True)
    return (
        f'<details><summary>Values</summary><div class="scroll" role="region" tabindex="0" aria-label="{about}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _rows(chart: Chart) -> list[tuple[Panel, Series]]:
    return [(panel, s) for panel in chart.panels for s in panel.series if s.form != "steps"]
