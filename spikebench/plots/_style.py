"""The style of all figures: a colour per neuron, a line style per backend, readable in print and for colour-blind eyes."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypedDict

import matplotlib

from spikebench import registry, units

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Frame = Any  # a pandas frame or column; its stubs give every selection a union that nothing accepts

# Okabe and Ito's palette without its yellow, which is lost on white
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
FILLS = ("full", "none", "left")
LONGEST_NAME = 40
NAME_HEIGHT = 0.19  # of a line in a legend, in inches
NOT_MEASURED, MOST_GAPS = "not measured", 6
# neurons that have figures, in the order of their colours; a later one has that of its name, and shifts no other
ORDER = (
    *"lif spsn psu ipsu rpsu spike_sampler exodus alif glif masked_psn newton_lif para_lif plif ppsu prf prf_lif psn recurrent_lif slayer sliding_psn".split(),
)


@contextmanager
def applied() -> Iterator[None]:
    """Draw without a display, in our style."""
    matplotlib.use("Agg")
    look: dict[Any, Any] = {
        "figure.dpi": 100,
        "savefig.dpi": 160,
        "figure.figsize": (7.0, 4.4),
        "figure.constrained_layout.use": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#DDDDDD",
        "grid.linewidth": 0.6,
        "axes.axisbelow": True,
        "font.size": 10,
        "font.family": "DejaVu Sans",  # matplotlib brings it along
        "legend.frameon": False,
        "legend.fontsize": 9,
        "svg.hashsalt": "spikebench",
    }
    with matplotlib.rc_context(look):
        yield


def metadata(ending: str) -> dict[str, None]:
    """File metadata without a date, so that the same data gives the same bytes."""
    return {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(ending, {})


def close(figure: "Figure") -> None:
    """Free a figure."""
    import matplotlib.pyplot as plt

    plt.close(figure)


def colour(neuron: str) -> str:
    """The colour of a neuron, the same in every figure."""
    return COLOURS[_place(neuron) % len(COLOURS)]


def _place(neuron: str) -> int:
    """Its number among all neurons; there are more of them than colours."""
    return ORDER.index(neuron) if neuron in ORDER else sum(map(ord, neuron)) % (len(COLOURS) * len(FILLS))


class Look(TypedDict):
    """How a line is drawn, as matplotlib's keywords."""

    color: str
    marker: str
    markersize: float
    fillstyle: str
    linestyle: str | tuple[float, tuple[float, ...]]
    linewidth: float


def line(subject: str) -> Look:
    """Colour, marker and dashes of a subject `neuron[options]@backend`; with options it is drawn finer.

    Neurons that share a colour differ in how their markers are filled.
    """
    name, _, backend = subject.partition("@")
    neuron, plain = name.partition("[")[0], "[" not in subject
    said = partial(registry.declared, backend.partition("[")[0], None)
    dashes = said("DASHES")
    return {
        "color": colour(neuron),
        "marker": said("MARKER", "."),
        "markersize": 5 if plain else 3.5,
        "fillstyle": FILLS[_place(neuron) // len(COLOURS) % len(FILLS)],
        "linestyle": (0, dashes) if dashes else "-",
        "linewidth": 1.6 if plain else 1.0,
    }


USUAL = {"workload": "layer", "network": "", "task": "", "device": "cpu", "dtype": "float32", "rate": 0.3, "seed": 0}


def alike(frame: Frame, *but: str) -> Iterator[tuple[str, Frame]]:
    """The rows that differ in subject and sizes alone (and in `but`), with what is unusual about them as part of a name."""
    keys = [k for k in USUAL if k not in but]
    filled = frame.assign(**{k: frame[k].fillna(USUAL[k]) for k in keys})
    for values, part in filled.groupby(keys, sort=False):
        unusual = [(k, v) for k, v in zip(keys, values, strict=True) if v != USUAL[k]]
        yield "".join(f"-{k}{v:g}" if k in ("rate", "seed") else f"-{v}" for k, v in unusual), frame.loc[part.index]


def caption(frame: Frame, what: str) -> str:
    """What is shown, of which origin, with which sizes and how many processes and samples.

    Raises ValueError for a figure that would join several origins.
    """
    where = frame.drop_duplicates("origin")
    if len(where) > 1:
        raise ValueError(f"a figure shows one origin, not {len(where)}")
    commit, dirty = (str(where[k].iloc[0]) for k in ("commit", "dirty"))
    place = f"Machine: {where['machine'].iloc[0]}" + (f", commit {commit[:7]}" if commit else "")
    place += " with uncommitted changes" if dirty else ""
    sized = frame[frame["workload"] != "training"]
    sizes = (
        "; ".join(f"{k} = {_range(sized[k].dropna().unique())}" for k in "TBN")
        if len(sized)
        else "Sizes are those of the data"
    )
    modes = ", ".join(sorted(map(str, frame["mode"].dropna().unique())))
    each = frame.groupby("case_id")["record"].nunique()
    about = f"{place}. {sizes}. Mode: {modes}. {each.sum()} processes, n = {_range(each)} of each case, {len(frame)} samples."
    return f"{what} {about}{_days(frame)}"


def _days(frame: Frame) -> str:
    """When it was measured, not when it was drawn: the same data give the same caption."""
    times = frame["time"].dropna() if "time" in frame else []
    if not len(times):
        return ""
    first, last = (f"{datetime.fromtimestamp(float(t), UTC):%Y-%m-%d}" for t in (min(times), max(times)))
    return f" Measured {first}." if first == last else f" Measured {first} to {last}."


def _range(values: Any) -> str:
    numbers = sorted({int(v) for v in values})
    return f"{numbers[0]:,}" if len(numbers) == 1 else f"{numbers[0]:,} to {numbers[-1]:,}"


def banded(axes: "Axes", subject: str, values: Any, more: str = "") -> None:
    """Medians over T as a line, and the 5th to 95th percentile of the samples as a band; `more` stands behind the name."""
    ends = values.groupby("T")["value"].quantile([0.05, 0.5, 0.95]).unstack()
    look = line(subject)
    axes.plot(ends.index, ends[0.5], label=subject + more, **look)
    axes.fill_between(ends.index, ends[0.05], ends[0.95], color=look["color"], alpha=0.15, lw=0)


def log_axes(axes: "Axes", x: str, y: str, marks: Any) -> None:
    """Log-log axes; the x axis is marked at the values that were measured."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    values = sorted({int(v) for v in marks})
    apart = [v for k, v in enumerate(values) if not k or v > 1.15 * values[k - 1]]
    axes.set_xticks(apart, [f"{v:,}" for v in apart])
    axes.set_xticks([], minor=True)
    axes.set_xlabel(x)
    axes.set_ylabel(y)


def unit_axis(axis: Any, unit: str) -> None:
    """Marks with their unit; of those between the decades some, where fewer than two decades have one."""

    def between(value: float, _: int) -> str:
        low, high = sorted(axis.get_view_interval())
        if low <= 0 or math.floor(math.log10(high)) > math.ceil(math.log10(low)):
            return ""
        digit = round(value / 10 ** math.floor(math.log10(value) + 1e-9))
        return units.show(value, unit) if high / low < 3 or digit in (2, 3, 5) else ""

    axis.set_major_formatter(lambda v, _: units.show(v, unit))
    axis.set_minor_formatter(between)


def gaps(axes: "Axes", everything: Frame, metric: str) -> None:
    """Say what is not drawn and why: a cross on the upper edge where a case failed, and every reason below the axes.

    `everything` holds all rows of the cases that belong into the figure, whatever came of them.
    """
    found = missing(everything, metric)
    for (subject, why), lengths in found.items():
        if why != NOT_MEASURED:
            look = {"color": line(subject)["color"], "transform": axes.get_xaxis_transform(), "clip_on": False}
            axes.plot(lengths, [1.0] * len(lengths), marker="x", linestyle="none", **look)
    say_missing(axes, found)


def missing(everything: Frame, metric: str) -> dict[tuple[str, str], list[int]]:
    """The lengths at which a subject has no value of a metric, by subject and reason."""
    drawn = everything[(everything["metric"] == metric) & everything["value"].notna()]
    have = set(zip(drawn["subject"], drawn["T"], strict=True))
    found: dict[tuple[str, str], list[int]] = {}
    for subject, part in everything.groupby("subject", sort=False):
        for T in sorted(everything["T"].unique()):
            if (subject, T) not in have:
                found.setdefault((str(subject), _why(part[part["T"] == T], metric)), []).append(int(T))
    return found


def say_missing(axes: "Axes", found: dict[tuple[str, str], list[int]]) -> None:
    """What is not drawn, with its reason, below the axes."""
    lines = [f"{cut(s)} at T = {', '.join(f'{t:,}' for t in lengths)}: {why}" for (s, why), lengths in found.items()]
    if lines:
        more = [f"and {len(lines) - MOST_GAPS} more"] if len(lines) > MOST_GAPS else []
        text = "Not drawn:\n" + "\n".join([*lines[:MOST_GAPS], *more])
        axes.annotate(text, (0, 0), (0, -38), "axes fraction", "offset points", fontsize=7, va="top", color="#444444")


def _why(rows: Frame, metric: str) -> str:
    """Why a case has no value: its status, or that of the metric, with what the reason begins with."""
    failed = rows[(rows["status"] != "ok") | ((rows["metric"] == metric) & (rows["metric_status"] != "ok"))]
    if not len(failed):
        return NOT_MEASURED
    row = failed.iloc[0]
    status = row["status"] if row["status"] != "ok" else row["metric_status"]
    reason = str(row["reason"] or "").split("\n")[0]
    return f"{status}" + (f" ({reason[:60]}{'…' if len(reason) > 60 else ''})" if reason else "")


def cut(name: str) -> str:
    """A long name cut within the options of its neuron, so that the backend still stands there."""
    neuron, at, rest = name.partition("@")
    room = LONGEST_NAME - len(at + rest) - 2
    if len(name) <= LONGEST_NAME:
        return name
    return f"{neuron[: max(room, 12)]}…{']' * ('[' in neuron)}{at}{rest}"[: 2 * LONGEST_NAME]


def legend(axes: "Axes", title: str) -> None:
    """A legend beside the axes, where it hides no line; a long name is cut, and the figure as high as the names need."""
    handles, names = axes.get_legend_handles_labels()
    if handles:
        short = [cut(n) for n in names]
        figure = axes.get_figure(root=True)
        if figure is not None:
            figure.set_figheight(max(figure.get_figheight(), NAME_HEIGHT * len(names) + 0.6))
        axes.legend(handles, short, loc="upper left", bbox_to_anchor=(1.0, 1.0), title=title, alignment="left")
