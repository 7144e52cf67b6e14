"""The command that measures all it can on a GPU in a few minutes: tests of the kernels, gates, claims, bounds, libraries."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from spikebench.cli import _options as o
from spikebench.cli import _values as v
from spikebench.cli._print import say, table
from spikebench.errors import Problem
from spikebench.experiments import gpu_before, gpu_plan, gpu_summary
from spikebench.experiments.gpu import SHARES, forecast
from spikebench.experiments.gpu_visit import Asked, visit_gpu
from spikebench.host import environment

ONLY_WITH = {"capability": "compile_only"}
NEVER_WITH = {"plan": ("compile_only", "out", "kernels", "commit"), "compile_only": ("out", "commit")}


def command(
    budget: Annotated[float, typer.Option(help="Longest time of the whole command: 9m."), v.Duration()] = 540.0,
    commit: o.Commit = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the records and the summary."), v.OUT_FOLDER] = None,
    kernels: Annotated[
        Path | None, typer.Option(help="Folder of compiled kernels; what it lacks is compiled."), v.OUT_FOLDER
    ] = None,
    compile_only: Annotated[
        bool, typer.Option(help="Only compile the kernels into --kernels; needs the same triton, but no GPU.")
    ] = False,
    capability: Annotated[
        list[int] | None,
        typer.Option(help="The GPU's, with --compile-only: 90 is an H100's; repeat for several."),
        v.Whole(within=v.CAPABILITY),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="A stage to leave out, or kernels, tests or tuned; repeat."), v.Text()
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be measured, and predicted times.")
    ] = False,
    device: o.Device = "cuda",
    tiny: Annotated[bool, typer.Option(help="Small sizes, to see that everything works.")] = False,
) -> None:
    """Measure on a GPU what matters most, in order of value, until the budget is spent; what is finished is kept."""
    folder = out or Path("results") / environment.machine()
    left_out = frozenset(skip or ())
    asked = Asked(budget, folder, _say, kernels, commit, device, tiny, left_out)
    if plan:
        _plan(asked)
        return
    if compile_only:
        if kernels is None:
            raise Problem("--compile-only needs --kernels FOLDER, which is then carried to the GPU")
        cases = gpu_plan.launched(asked.stages(), tiny)
        gpu_before.compile_kernels(cases, kernels, capability or [90], budget, _say)
        return
    found = visit_gpu(asked)
    for line in gpu_summary.lines(found.summary, found.visit.spent, found.visit.left_out):
        say(line)
    say(f"{len(found.records)} records in {folder / 'gpu.jsonl'}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _plan(asked: Asked) -> None:
    """Show what a session with this budget would measure, predicted by going through it on a clock of its own."""
    before = [name for name in SHARES if name not in asked.left_out]
    visit = forecast(asked.seconds, asked.device, asked.tiny, asked.stages(), before)
    rows = [
        (name, visit.planned[name], visit.planned[name] - len(visit.left_out.get(name, ())), f"{spent:.0f} s")
        for name, spent in visit.spent.items()
    ]
    table(("stage", "processes", "reached", "predicted"), rows)
    predicted = sum(visit.spent.values())
    say(f"{predicted:.0f} of {asked.seconds:.0f} s; the times are those of an H100, loops in proportion to T")
