"""Time of the same neuron in every library over T, as bars with intervals: a colour is a library, ours the fused kernel."""

from collections.abc import Iterator
from dataclasses import replace

from spikebench import registry
from spikebench.cases.subject import parse_subject
from spikebench.plots import _style as style
from spikebench.plots._chart import EVERYTHING, Axis, Chart, Panel, Series, View, finished, means
from spikebench.plots._over import named, ratios, values
from spikebench.plots._style import Frame

SHOWN = {"snntorch": "snnTorch", "spikingjelly": "SpikingJelly", "norse": "Norse", "sinabs": "Sinabs"}
COLOURS = {"snntorch": "#E69F00", "spikingjelly": "#009E73", "norse": "#CC79A7", "sinabs": "#56B4E9", "": "#0072B2"}
OURS = ("fused", "cpu", "triton")
WHAT = (
    "Time of one launch of the same neuron in each library, which passed the same gate: geometric mean of the processes with its "
    "95 % interval. Ours is the fused kernel."
)


def figures(frame: Frame, view: View = EVERYTHING) -> Iterator[tuple[str, Chart, str]]:
    """One figure per neuron with its options, device, B and N that two libraries or more were measured at; a panel per mode."""
    layers = frame[frame["workload"] == "layer"]
    for unusual, same in style.alike(layers, "device"):
        every = list(same["subject"].unique())
        asked = [s for s in every if view.baseline and means(view.baseline, s)]
        kept = same[same["subject"].isin([s for s in every if library(s) is not None or s in asked])]
        kept = kept.assign(of=kept["subject"].map(neuron))
        for (of, device, b, n), everything in kept.groupby(["of", "device", "B", "N"], sort=False):
            part = everything[(everything["metric"] == "latency") & everything["value"].gt(0)]
            if len({library(s) for s in part["subject"].unique()} - {None}) < 3:
                continue
            name = f"libraries-{str(of).partition('[')[0]}-B{b}-N{n}-{device}{unusual}"
            chart = _chart(part, f"{of}, B = {b}, N = {n}, {device}{unusual.replace('-', ', ')}", view)
            if chart is not None:
                modes = [(f"{mode}, ", at) for mode, at in everything.groupby("mode")]
                found = {
                    (mode + _label(s), why): T
                    for mode, at in modes
                    for (s, why), T in style.missing(at, "latency").items()
                }
                chart = replace(chart, missing=style.told_missing(found, str))
                yield name, chart, style.caption(part, f"{view.told(WHAT)} Neuron: {of}.")


def neuron(subject: str) -> str:
    """A subject without its backend."""
    return subject.rpartition("@")[0]


def library(subject: str) -> str | None:
    """The library that a subject is computed by, "" for our fused kernels, None for what is neither."""
    backend = subject.rpartition("@")[2].partition("[")[0]
    if backend in OURS:
        return ""
    name = subject.partition("[")[0].partition("@")[0]
    return backend if name in registry.names("neurons") and backend in registry.libraries(name) else None


def _label(subject: str) -> str:
    """The library's own name, with the options of its backend where it has some."""
    found, options = library(subject), parse_subject(subject).how
    if found is None:
        return f"@{parse_subject(subject).backend}"
    more = f" ({', '.join(map(str, options.values()))})" if options else ""
    return (SHOWN.get(found, found) if found else "spikebench, fused") + more


def _chart(part: Frame, title: str, view: View) -> Chart | None:
    lengths = sorted(part["T"].unique())
    baseline = _baseline(part, view.baseline)
    panels: list[Panel] = []
    for mode, mine in part.groupby("mode"):
        made = values(mine) if baseline is None else ratios(mine, "latency", baseline)
        bars = [
            _bars(s, lengths) for s in sorted(made, key=lambda s: (s.subject.rpartition("@")[2] in OURS, s.subject))
        ]
        if bars:
            panels.append(Panel(str(mode), tuple(bars), (1.0, _label(baseline)) if baseline else None))
    x = Axis("time steps T", "", "names", tuple(f"{T:,}" for T in lengths))
    y = Axis(f"speed-up over {_label(baseline)}", "x") if baseline else Axis("time of one launch", "s")
    return finished(Chart(title, tuple(panels), x, y, legend=True)) if panels else None


def _bars(of: Series, lengths: list[int]) -> Series:
    points = tuple(replace(p, x=lengths.index(int(p.x))) for p in of.points)
    found = library(of.subject) or ""
    return replace(
        of, points=points, form="bars", note=_label(of.subject), colour=COLOURS.get(found, style.colour(found))
    )


def _baseline(part: Frame, name: str | None) -> str | None:
    """The subject that a person means by a whole subject, or by the backend or library alone."""
    if name is None:
        return None
    backends = {b for s in part["subject"].unique() if name in (_label(s), b := s.rpartition("@")[2])}
    return named(part["subject"], f"@{backends.pop()}" if backends else name)
