"""Figures from a tidy frame: one file per kind, each with `figures(frame)` that yields (name, figure, caption).

A figure is a chart, which is drawn on paper, on a page and as text, or one that matplotlib has drawn. What takes a second
argument is told which subjects and which baseline a person asked for (`_chart.View`).
"""

import hashlib
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from spikebench import registry
from spikebench.cases import subject
from spikebench.errors import Problem
from spikebench.plots._chart import EVERYTHING, Chart, View, means

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

LONGEST_NAME = 180
FORMATS = ("png", "svg", "pdf")


@dataclass(frozen=True)
class Drawing:
    """A figure with its name and its whole caption."""

    name: str
    what: "Chart | Figure"
    caption: str


def kinds() -> list[str]:
    """The kinds of figure there are."""
    return registry.names("plots")


def figures(kind: str, frame: "pd.DataFrame", view: View = EVERYTHING) -> Iterator[Drawing]:
    """Every figure of a kind: each shows one origin, the newest first.

    Where a newer origin has a figure of that name, the origin stands after it. Raises Problem for an unknown kind, a subject
    that no record has, or a baseline where the kind compares nothing with one.
    """
    name = registry.find("plots", kind)
    module, taken = importlib.import_module(f"spikebench.plots.{name}"), set[str]()
    more = _takes(name, module, view)
    frame = _picked(frame, view)
    latest: Any = frame.groupby("origin")["time"].max()  # pandas' stubs take it for a scalar
    newest = latest.sort_values(ascending=False, kind="stable", na_position="last")
    for origin in newest.index:
        newer = frozenset(taken)
        for title, what, caption in module.figures(frame[frame["origin"] == origin], *more):
            own = f"{title}-{origin}" if title in newer else title
            full = next(n for k in count(1) if (n := own if k == 1 else f"{own}-{k}") not in taken)
            taken.add(full)
            said = f"{caption} {what.said()}".strip() if isinstance(what, Chart) else caption
            yield Drawing(full, what, said)


def _picked(frame: Any, view: View) -> Any:
    """The rows of the subjects that a person named, and of the baseline; Problem for a name that none has."""
    if not view.subjects:
        return frame
    every = list(frame["subject"].dropna().unique())
    for name in view.subjects:
        if not any(means(name, s) for s in every):
            raise Problem(f"no subject {name!r} in these records; there are {', '.join(map(subject.shown, every))}")
    names = (*view.subjects, *filter(None, [view.baseline]))
    return frame[frame["subject"].isin([s for s in every if any(means(name, s) for name in names)])]


def _takes(name: str, module: ModuleType, view: View) -> tuple[View, ...]:
    """The second argument of a kind's figures, if it takes one."""
    takes = len(inspect.signature(module.figures).parameters) > 1
    if view.baseline and not (takes and getattr(module, "BASELINE", True)):
        raise Problem(f"a figure {name} compares nothing with a baseline: leave --baseline out")
    return (view,) if takes else ()


def draw(
    kind: str,
    frame: "pd.DataFrame",
    folder: Path,
    formats: tuple[str, ...] | None = None,
    view: View = EVERYTHING,
    style: str = "screen",
) -> list[Path]:
    """Draw every figure of a kind into `folder`, with its caption beside it as text; returns the paths.

    A style "paper" gives a PDF for a column and one for the whole page. Names in the frame are drawn as they are: a dollar
    sign begins no formula, and a slash no folder. Raises Problem for an unknown kind, or when the frame holds nothing that
    this kind can show.
    """
    from spikebench.plots import _draw

    chosen = _draw.style(style)
    wanted = chosen.formats if formats is None else formats
    if unknown := [f for f in wanted if f not in FORMATS]:
        raise Problem(f"no format {', '.join(unknown)}; there are {', '.join(FORMATS)}")
    paths: list[Path] = []
    with _draw.applied(style):
        for drawing in figures(kind, frame, view):
            name = re.sub(r"[^\w.+-]+", "-", drawing.name).strip("-")
            if len(name) > LONGEST_NAME:  # no file system has names of any length
                name = f"{name[:LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
            folder.mkdir(parents=True, exist_ok=True)
            for width, figure in _draw.sized(drawing.what, chosen):
                size = f"-{width:g}in" if len(chosen.widths) > 1 else ""
                for ending in wanted:
                    path = folder / f"{name}{size}.{ending}"
                    figure.savefig(path, metadata=_draw.metadata(ending))
                    paths.append(path)
                _draw.close(figure)
            (folder / f"{name}.txt").write_text(drawing.caption + "\n", encoding="utf-8")
    if not paths:
        raise _nothing(kind)
    return paths


def text(kind: str, frame: "pd.DataFrame", view: View = EVERYTHING, width: int = 80) -> Iterator[str]:
    """Every figure of a kind as text for a terminal, with its caption. A kind without charts raises Problem, as nothing does."""
    from spikebench.plots import _text

    made = list(figures(kind, frame, view))
    if not made:
        raise _nothing(kind)
    for drawing in made:
        if not isinstance(drawing.what, Chart):
            raise Problem(f"a figure {kind} cannot be drawn as text: leave --text out")
        yield _text.drawn(drawing.what, drawing.caption, width)


def _nothing(kind: str) -> Problem:
    return Problem(f"nothing to draw as {kind}: no recorded case has status ok and the samples it needs")
