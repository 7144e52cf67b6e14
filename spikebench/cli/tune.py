"""The command that measures which shapes of the kernels are fastest on the GPU at hand, and writes them down for it."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cases.point import DTYPES
from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.errors import Problem
from spikebench.experiments.tune import tune
from spikebench.host import environment

ONLY_WITH = {"capability": "compile_only"}
MEASURING = ("out", "tuned", "commit", "budget")
NEVER_WITH = {"compile_only": MEASURING, "predict": (*MEASURING, "compile_only", "kernels", "dtype", "device", "tiny")}


@dataclass(frozen=True)
class Ahead:
    """What is compiled ahead of the GPU."""

    kernels: Annotated[
        Path | None, typer.Option(help="Folder of compiled kernels; what it lacks is compiled."), v.OUT_FOLDER
    ] = None
    compile_only: Annotated[
        bool, typer.Option(help="Only compile every shape into --kernels; needs the same triton, but no GPU.")
    ] = False
    capability: Annotated[
        int, typer.Option(help="The GPU's, with --compile-only: 90 is an H100's."), v.Whole(within=v.CAPABILITY)
    ] = 90


AHEAD = Ahead()


def command(
    kernels_of: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KERNELS]...", help="Neurons, or subjects of triton; all, most valuable first."),
        v.Text(),
    ] = None,
    budget: Annotated[float, typer.Option(help="Longest time: 90s."), v.Duration()] = 90.0,
    dtype: Annotated[
        list[str] | None, typer.Option(help="Dtypes, with commas (default: float32)."), v.Words(choices=DTYPES)
    ] = None,
    out: Annotated[Path | None, typer.Option(help="JSON Lines of everything that is measured."), v.OUT_FILE] = None,
    tuned: Annotated[
        Path | None, typer.Option(help="Folder of tuned shapes (default: where kernels read it)."), v.OUT_FOLDER
    ] = None,
    ahead: Ahead = AHEAD,
    predict: Annotated[
        bool, typer.Option("--predict", help="Only print the times that the model of latency and bytes predicts.")
    ] = False,
    commit: o.Commit = None,
    device: o.Device = "cuda",
    tiny: Annotated[bool, typer.Option(help="A small size, to see that everything works.")] = False,
) -> None:
    """Measure shapes of kernels (series, warps, steps a tile, chunks) on this GPU, and keep what is better than the model's.

    A shape whose kernel is compiled (--compile-only, then --kernels) is expected to take 30 ms: 10 to run and compare it,
    and 1 for each sample, of which it gets 3, and 13 if it is among the best. One that is not takes half a second more.
    So three kernels of a neuron at one size take about 2 s. What the budget does not reach is named.
    """
    if device == "cpu":
        os.environ.setdefault("TRITON_INTERPRET", "1")  # read when triton is imported, which nothing has done yet
    if ahead.kernels:
        os.environ["TRITON_CACHE_DIR"] = str(ahead.kernels.resolve())
    if predict:
        return print(import_module("spikebench.backends.triton._predict").text(), end="")
    names, dtypes = kernels_of or (), dtype or ["float32"]
    if ahead.compile_only:
        return _compile(names, dtypes, tiny, ahead)
    found = tune(
        *names,
        budget=budget,
        dtypes=dtypes,
        out=out,
        tuned=tuned,
        commit=commit,
        device=device,
        tiny=tiny,
        say=_say,
    )
    print(f"{sum(d.better for d in found)} of {len(found)} shapes are better than the model's")


def _compile(names: Sequence[str], dtypes: list[str], tiny: bool, ahead: Ahead) -> None:
    """Every shape that would be measured, on all cores."""
    from spikebench.experiments import tune_ahead, tune_plan

    if ahead.kernels is None:
        raise Problem("--compile-only needs --kernels FOLDER, which is then carried to the GPU")
    cases = tune_plan.cases(names, dtypes, "cuda", tiny)
    for subject, count, why in tune_ahead.compile_all(cases, ahead.kernels, ahead.capability, environment.threads()):
        rest = f", not all: {why}" if why else ""
        _say(f"{subject}: {count} launches are compiled{rest}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
