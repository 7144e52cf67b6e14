"""Names at the ends of lines, in a column beside the axes, none over another, and the name of the line across a panel."""

import itertools
from typing import TYPE_CHECKING, Any

from spikebench.plots._chart import Chart, Panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RULE = 1  # the order in which the line across a panel is drawn: above the grid and below all data


def label_ends(figure: "Figure", pairs: list[tuple["Axes", Panel]], chart: Chart, letters: float) -> None:
    """Names beside the last points, in the colour of their lines, moved apart where they would overlap."""
    if chart.legend:
        return  # for bars
    made: list[tuple[Axes, list[tuple[Any, float, int]]]] = []
    size = letters * 0.85
    for axes, panel in pairs:
        mine: list[tuple[Any, float, int]] = []
        for one in panel.series:
            if one.muted or not one.labelled or not one.points or one.form == "falls":
                continue
            last = max(one.points, key=lambda p: p.x)
            text = chart.names.of(one.subject) + (f"\n{one.note}" if one.note else "")
            label = axes.annotate(
                text, (last.x, last.y), (1.03, 0.5), textcoords="axes fraction", va="center", fontsize=size,
                color=one.colour, linespacing=1.1,
                arrowprops={"arrowstyle": "-", "color": one.colour, "lw": 0.6, "ls": (0, (1, 2)), "relpos": (0, 0.5), "shrinkB": 3},
                annotation_clip=False, fontweight="bold" if one.bold else "normal",
            )  # fmt: skip
            mine.append((label, last.y, 1 + bool(one.note)))
        made.append((axes, mine))
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it is laid out, and would be again for every file
    for axes, mine in made:
        height = axes.get_window_extent().height * 72 / figure.dpi
        at = [(float(axes.transData.transform((1, y))[1]) - axes.bbox.y0) * 72 / figure.dpi for _, y, _ in mine]
        for (label, _, _), place in zip(
            mine, apart(at, [size * 1.25 * n + 1 for _, _, n in mine], height), strict=True
        ):
            label.set_position((1.03, place / height))


def apart(wanted: list[float], sizes: list[float], height: float) -> list[float]:
    """Places near those wanted for things of these sizes, one above the other without overlap, from 0 to `height` if they fit."""
    order = sorted(range(len(wanted)), key=lambda k: wanted[k])
    found = list(wanted)
    edge = -sizes[order[0]] / 2 if order else 0.0
    for k in order:
        found[k] = max(found[k], edge + sizes[k] / 2)
        edge = found[k] + sizes[k] / 2
    edge = height + (sizes[order[-1]] / 2 if order else 0.0)
    for k in reversed(order):
        found[k] = min(found[k], edge - sizes[k] / 2)
        edge = found[k] - sizes[k] / 2
    return found


def label_rule(axes: "Axes", y: float, name: str, letters: float, colour: str) -> None:
    """Name the line at `y`, at that end and on that side of it where the least data cross the name. The axes have their final size here.

    Where data cross it everywhere, the letters have a border in the colour of the ground.
    """
    from matplotlib.patheffects import withStroke

    made: list[Any] = []
    for above, right in itertools.product((True, False), (False, True)):
        offset = (-2 if right else 2, 2 if above else -2)
        label = axes.annotate(
            name, (float(right), y), offset, xycoords=("axes fraction", "data"), textcoords="offset points",
            ha="right" if right else "left", va="bottom" if above else "top", fontsize=letters, color=colour, zorder=5,
        )  # fmt: skip
        made.append(label)
    crossed = [_crossings(axes, label) for label in made]
    best = crossed.index(min(crossed))
    if crossed[best]:
        made[best].set_path_effects([withStroke(linewidth=letters * 0.35, foreground=axes.get_facecolor())])
    for label in made[:best] + made[best + 1 :]:
        label.remove()


def _crossings(axes: "Axes", label: Any) -> int:
    """How many lines and intervals cross a label, or leave less than a point of distance to it; more than all of them outside the axes."""
    box = label.get_window_extent().padded(label.figure.dpi / 72)
    data = [(line.get_transform(), [line.get_path()]) for line in axes.lines if line.get_zorder() > RULE]
    data += [(each.get_transform(), each.get_paths()) for each in axes.collections]
    found = [transform.transform_path(path) for transform, paths in data for path in paths]
    inside = axes.bbox.y0 <= box.y0 and box.y1 <= axes.bbox.y1
    return sum(path.intersects_bbox(box, filled=False) for path in found) if inside else len(found) + 1
