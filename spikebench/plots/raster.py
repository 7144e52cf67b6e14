"""Spikes of a few dozen neurons over time, with the count of all neurons under them: one figure per case."""

import base64
import binascii
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from spikebench.cases.subject import shown as shown_as
from spikebench.errors import Problem
from spikebench.plots import _style as style
from spikebench.plots._style import Frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POINT = ["mode", "device", "dtype", "B", "N", "T", "rate", "seed"]
MOST = 6  # subjects in a figure; the others are named below it


def figures(frame: Frame) -> Iterator[tuple[str, "Figure", str]]:
    """One figure per case of a layer whose spikes were recorded with `run --metric raster`; the details hold them."""
    layers = frame[frame["workload"] == "layer"]
    if "detail" not in layers:
        if len(layers[layers["metric"] == "raster"]):
            raise Problem("a raster is in the details of the records: make the frame with details=True")
        return
    for (mode, device, dtype, b, n, t, rate, seed), everything in layers.groupby(POINT):
        asked = everything[everything["metric"].eq("raster") | everything["status"].ne("ok")]
        found = asked[asked["metric"].eq("raster") & asked["value"].notna()]
        found = found[found["detail"].map(lambda d: _spikes(d) is not None)].drop_duplicates("subject")
        if not len(found):
            continue
        usual = {"float32": f"-{dtype}", "0": f"-seed{seed}"}
        name = f"raster-{mode}-T{t}-B{b}-N{n}-rate{rate:g}-{device}"
        name += "".join(text for u, text in usual.items() if not text.endswith(u))
        title = f"{mode}, T = {t:,}, B = {b}, N = {n}, {device}, input aimed at a rate of {rate:g}"
        shown = found[:MOST]
        missing = _missing(asked, found[MOST:])
        yield name, _figure(shown, title), style.caption(shown, _what(shown)) + missing


def _spikes(detail: Any) -> np.ndarray | None:
    """The recorded bits [steps, neurons], or None where the detail holds no such thing."""
    try:
        steps, neurons = int(detail["steps"]), int(detail["neurons"])
        packed = np.frombuffer(base64.b64decode(detail["bits"], validate=True), np.uint8)
        # too few bytes would be filled up with silence
        whole = min(steps, neurons) > 0 and len(packed) == -(-steps * neurons // 8) and len(detail["counts"]) == steps
        return np.unpackbits(packed, count=steps * neurons).reshape(steps, neurons) != 0 if whole else None
    except (KeyError, TypeError, ValueError, binascii.Error):
        return None


def _what(shown: Frame) -> str:
    """What is seen: how many neurons and steps of how many, how often they fire, and what a mark stands for."""
    details = list(shown["detail"])
    neurons, steps = (sorted({int(d[k]) for d in details}) for k in ("neurons", "steps"))
    n, t = int(shown["N"].iloc[0]), int(shown["T"].iloc[0])
    text = f"Spikes of the first {neurons[-1]} of {n:,} neurons of one batch item"
    text += f" over the first {steps[-1]:,} of {t:,} steps"
    if neurons[-1] == n and steps[-1] == t:
        text = f"Spikes of all {n:,} neurons of one batch item over all {t:,} steps"
    rates = ", ".join(f"{shown_as(s)} {v:.3g}" for s, v in zip(shown["subject"], shown["value"], strict=True))
    text += f"; under them the spikes of all {n:,} neurons of this item at each step."
    text += f" Spikes per neuron and step, of those drawn: {rates}."
    if max(float(d["most"]) for d in details) > 1:
        text += " A mark is a step with at least one spike; some neurons fire several times a step."
    return text


def _figure(shown: Frame, title: str) -> "Figure":
    import matplotlib.pyplot as plt

    ratios = [3.0, 1.0] * len(shown)
    figure, panels = plt.subplots(
        len(ratios), 1, sharex=True, figsize=(7.0, 0.8 + 2.9 * len(shown)), height_ratios=ratios, squeeze=False
    )
    for k, (_, row) in enumerate(shown.iterrows()):
        _pair(panels[2 * k][0], panels[2 * k + 1][0], row)
    figure.suptitle("\n".join(textwrap.wrap(title, 50)), x=0.02, ha="left", fontsize="medium")
    panels[-1][0].set_xlabel("time step")
    return figure


def _missing(asked: Frame, left_out: Frame) -> str:
    """What is not drawn and why, as the end of a caption."""
    found = style.missing(asked, "raster")
    found |= {(str(s), f"no place beside {MOST} others"): [int(t)] for s, t in left_out[["subject", "T"]].values}
    return f" Not drawn: {'; '.join(style.told_missing(found, shown_as))}." if found else ""


def _pair(marks: "Axes", counts: "Axes", row: Any) -> None:
    """The marks of one subject, a row per neuron, and the spikes of all neurons under them."""
    spikes, colour = _spikes(row["detail"]), style.colour(str(row["neuron"]))
    assert spikes is not None
    steps, neurons = spikes.shape
    t, k = np.nonzero(spikes)
    # as an image inside an SVG: ten thousand marks would be megabytes
    marks.vlines(t, k - 0.4, k + 0.4, color=colour, linewidth=max(0.4, min(1.5, 300 / steps)), rasterized=True)
    marks.set_ylim(neurons - 0.5, -0.5)
    marks.set_xlim(-0.5, steps - 0.5)
    marks.set_yticks(sorted({0, neurons // 2, neurons - 1}))
    marks.set_ylabel("neuron")
    marks.set_title("\n".join(textwrap.wrap(shown_as(str(row["subject"])), 50)), loc="left", fontsize="medium")
    marks.tick_params(labelbottom=False)
    counts.stairs(row["detail"]["counts"], np.arange(steps + 1) - 0.5, color=colour, fill=True, alpha=0.7)
    counts.set_ylim(bottom=0)
    counts.set_ylabel("spikes")
