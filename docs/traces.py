"""What a neuron does, drawn when the site is built: an input, a membrane and a raster, computed by its definition."""

from dataclasses import dataclass

import numpy as np
import torch
from drawing import LIGHT
from matplotlib.figure import Figure

from spikebench.cases.case import grid, with_changes
from spikebench.loading.subject import definition
from spikebench.neuron import StochasticNeuron
from spikebench.workloads import layer

STEPS, NEURONS, RATE, SEED = 150, 24, 0.1, 0


@dataclass(frozen=True)
class Trace:
    """Input and membrane of the neuron `shown` over T steps, what the membrane is compared with, and all spikes [T, N]."""

    x: np.ndarray
    membrane: np.ndarray
    threshold: np.ndarray
    spikes: np.ndarray
    shown: int
    stochastic: bool

    @property
    def rate(self) -> float:
        """Spikes per neuron and step."""
        return float(self.spikes.mean())


def trace(name: str) -> Trace:
    """One neuron's definition, at its default options, on a Gaussian current whose mean gives about the rate 0.1."""
    case = with_changes(grid([name], [STEPS], [1], [NEURONS], mode=["inference"])[0], rate=RATE, seed=SEED)
    with torch.no_grad():
        x = layer.current(case, layer.calibrate(case))
        torch.manual_seed(SEED)
        neuron = definition(case.parsed, NEURONS, STEPS)
        stochastic = isinstance(neuron, StochasticNeuron)
        uniforms = neuron.draw(x) if stochastic else None
        spikes, membrane = neuron.both(x) if uniforms is None else neuron.both(x, uniforms=uniforms)
        margin = neuron.margin(membrane, uniforms)
    counts = spikes[:, 0].sum(0)
    k = int((counts - counts.mean()).abs().argmin())  # the neuron that fires most nearly as often as they do on average
    if uniforms is None:
        silent = int((spikes[:, 0, k] == 0).nonzero()[0])  # there the margin is what lacks to the threshold
        against = (membrane + margin)[silent, 0, k].expand(STEPS)
    else:
        against = uniforms[:, 0, k]
    mine = (each[:, 0, k].numpy() for each in (x, membrane))
    return Trace(*mine, against.numpy(), spikes[:, 0].numpy(), k, stochastic)


def figure(found: Trace) -> Figure:
    """Input, membrane and raster above the same time axis."""
    drawn = Figure(figsize=(7.2, 4.4), layout="constrained")
    top, middle, bottom = drawn.subplots(3, 1, sharex=True, height_ratios=(1, 2, 2))
    steps = np.arange(STEPS)
    top.plot(steps, found.x, color=LIGHT["ink"], linewidth=0.9)
    top.set_ylabel("input x")
    middle.plot(steps, found.membrane, color=LIGHT["curve"], linewidth=1.2)
    dotted = {"linestyle": "none", "marker": ".", "markersize": 2} if found.stochastic else {"linestyle": "--"}
    middle.plot(steps, found.threshold, color=LIGHT["ink"], linewidth=0.9, **dotted)
    fired = np.nonzero(found.spikes[:, found.shown])[0]
    middle.plot(fired, found.membrane[fired], "o", color=LIGHT["mark"], markersize=3)
    middle.set_ylabel("probability p" if found.stochastic else "membrane")
    t, k = np.nonzero(found.spikes)
    bottom.vlines(t, k - 0.4, k + 0.4, color=LIGHT["mark"], linewidth=1.1)
    bottom.set(ylabel="neuron", xlabel="time step", ylim=(NEURONS - 0.5, -0.5), xlim=(-1, STEPS))
    return drawn


def caption(found: Trace) -> str:
    """What the figure shows, for those who see it and those who do not."""
    line = "dots are the random numbers that it is compared with" if found.stochastic else "dashed is the threshold"
    more = " Some steps have several spikes, and one mark." if found.spikes.max() > 1 else ""
    what = "its spike probability" if found.stochastic else "its membrane before the reset"
    return (
        f"The definition at its default options on a Gaussian current of standard deviation 0.5, whose mean is set for a rate of "
        f"{RATE:g} spikes a step. Top: the input of one neuron. Middle: {what}; {line}, a red point is a spike. "
        f"Bottom: the spikes of {NEURONS} neurons, {found.rate:.3f} per neuron and step.{more}"
    )
