"""The command that measures which shapes of the kernels are fastest on the GPU at hand, and writes them down for it."""

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.errors import Problem
from spikebench.experiments.tune import tune
from spikebench.host import environment


def command(
    kernels_of: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KERNELS]...", help="Neurons, or subjects of triton; all, most valuable first."),
    ] = None,
    budget: Annotated[str, typer.Option(help="Longest time: 90s.")] = "90s",
    dtype: Annotated[str, typer.Option(help="Dtypes, with commas: float32,bfloat16.")] = "float32",
    out: Annotated[Path | None, typer.Option(help="JSON Lines of everything that is measured.")] = None,
    tuned: Annotated[Path | None, typer.Option(help="Folder of tuned shapes (default: where kernels read it).")] = None,
    kernels: Annotated[Path | None, typer.Option(help="Folder of compiled kernels; what it lacks is compiled.")] = None,
    compile_only: Annotated[
        bool, typer.Option(help="Only compile every shape into --kernels; needs the same triton, but no GPU.")
    ] = False,
    capability: Annotated[int, typer.Option(help="The GPU's, with --compile-only: 90 is an H100's.")] = 90,
    predict: Annotated[
        bool, typer.Option("--predict", help="Only print the times that the model of latency and bytes predicts.")
    ] = False,
    commit: Annotated[str | None, typer.Option(help="Commit of this source tree, where it has no history.")] = None,
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
    if kernels is not None:
        os.environ["TRITON_CACHE_DIR"] = str(kernels.resolve())
    if predict:
        sys.stdout.write(import_module("spikebench.backends.triton._predict").text())
        return
    names, dtypes = kernels_of or (), dtype.split(",")
    if compile_only:
        _compile(names, dtypes, tiny, kernels, capability)
        return
    found = tune(
        *names,
        budget=o.seconds("--budget", budget) or 90.0,
        dtypes=dtypes,
        out=out,
        tuned=tuned,
        commit=commit,
        device=device,
        tiny=tiny,
        say=_say,
    )
    print(f"{sum(d.better for d in found)} of {len(found)} shapes are better than the model's")


def _compile(names: Sequence[str], dtypes: list[str], tiny: bool, kernels: Path | None, capability: int) -> None:
    """Every shape that would be measured, on all cores."""
    from spikebench.experiments import tune_ahead, tune_plan

    if kernels is None:
        raise Problem("--compile-only needs --kernels FOLDER, which is then carried to the GPU")
    cases = tune_plan.cases(names, dtypes, "cuda", tiny)
    for subject, count, why in tune_ahead.compile_all(cases, kernels, capability, environment.threads()):
        rest = f", not all: {why}" if why else ""
        _say(f"{subject}: {count} launches are compiled{rest}")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
