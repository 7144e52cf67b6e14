"""Pictures for reading a result: what each verdict and each flag of samples looks like, as the code itself judges them."""

import math
import random
from dataclasses import dataclass

from drawing import LIGHT
from matplotlib.figure import Figure

from spikebench import units
from spikebench.analysis import stability, stats
from spikebench.records.flags import Flag
from spikebench.records.record import Measurement, Record

RATIOS = (  # estimate and half-width of the interval on the log scale; ten pairs each
    (1.42, 0.05),
    (1.03, 0.008),
    (1.0, 0.011),
    (1.01, 0.05),
    (1.3, 0.4),
    (0.7, 0.08),
)


@dataclass(frozen=True)
class Run:
    """Samples of one process, made up for the picture, and the flag that the code raises for them; None for none."""

    flag: Flag | None
    samples: list[float]
    detail: dict[str, object]


def ratios() -> list[stats.Ratio]:
    """The ratios that the picture of verdicts shows."""
    return [stats.Ratio(r, r * math.exp(-h), r * math.exp(h), 10) for r, h in RATIOS]


def verdicts() -> Figure:
    """Ratios with their intervals beside the band of 2 %, and the verdict of each."""
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    axes = figure.subplots()
    band = 1 + stats.BAND
    axes.axvspan(1 / band, band, color=LIGHT["quiet"], alpha=0.35, linewidth=0)
    axes.axvline(1, color=LIGHT["ink"], linewidth=0.8)
    for row, r in enumerate(ratios()):
        axes.plot([r.low, r.high], [row, row], color=LIGHT["curve"], linewidth=2)
        axes.plot(r.estimate, row, "o", color=LIGHT["mark"], markersize=5)
        said = f"{stats.verdict(r)}    {units.ratio(r.estimate, r.low, r.high, r.n)}"
        axes.text(1.02, row, said, va="center", transform=axes.get_yaxis_transform())
    axes.set(xscale="log", yticks=[], ylim=(len(RATIOS) - 0.4, -0.6), xlabel="ratio: baseline's time / subject's time")
    axes.set_xticks([0.7, 0.8, 0.9, 1, 1.2, 1.5, 2], ["0.7", "0.8", "0.9", "1", "1.2", "1.5", "2"])
    axes.minorticks_off()
    axes.spines["left"].set_visible(False)
    return figure


def runs() -> list[Run]:
    """Twenty samples of about a millisecond that are steady, and those that each flag of samples is raised for."""
    noise = random.Random(0)
    steady = [1e-3 * math.exp(noise.gauss(0, 0.01)) for _ in range(20)]
    wide = [1e-3 * math.exp(noise.gauss(0, 0.2)) for _ in range(20)]
    falling = [t * (1.09 if k < 10 else 1.0) for k, t in enumerate(steady)]
    return [
        Run(None, steady, {}),
        Run(Flag.SPREAD, wide, {}),
        Run(Flag.DRIFT, falling, {}),
        Run(Flag.SAMPLES, steady[:3], {}),
        Run(Flag.RESOLUTION, [40e-6 + 1e-6 * (k % 2) for k in range(20)], {"resolution": 1e-6}),
        Run(Flag.FREQUENCY, steady, {"hertz": [2.4e9, 3.1e9]}),
    ]


def raised(run: Run) -> list[Flag]:
    """The flags that the code raises for the samples of a run."""
    detail = {"group": 1, "resolution": 6e-8} | run.detail
    found = Measurement("latency", "s", "ok", None, run.samples, detail)
    record = Record("", "", {}, measurements=[found])
    return [warning.flag for warning in stability.warnings_of(record)]


def samples() -> Figure:
    """A panel for each run: its samples in the order in which they were taken, with the flag."""
    figure = Figure(figsize=(7.2, 3.4), layout="constrained")
    for axes, run in zip(figure.subplots(2, 3).flat, runs(), strict=True):
        axes.plot([t * 1e3 for t in run.samples], "o", color=LIGHT["mark" if run.flag else "curve"], markersize=3)
        axes.set_title(str(run.flag or "no flag"), fontsize=9, loc="left")
        axes.set(xlim=(-1, 20), xticks=[], ylim=(0, max(run.samples) * 1.15e3))
    figure.supylabel("time of a sample (ms)", fontsize=9)
    figure.supxlabel("samples of one process, in order", fontsize=9)
    return figure
