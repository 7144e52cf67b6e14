"""The command that measures all it can on a GPU in a few minutes: tests of the kernels, gates, claims, bounds, libraries."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from spikebench.cases.case import Case
from spikebench.cli import _options as o
from spikebench.cli._tables import say, table
from spikebench.errors import Problem
from spikebench.experiments import gpu as visits
from spikebench.experiments import gpu_before, gpu_plan, gpu_summary
from spikebench.host import environment
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.run.session import Session, Settings

BEFORE = ("kernels", "tests", "tuned")  # what can be skipped besides the stages
COMPILING = 0.15  # share of the budget for kernels that are not there


def command(
    budget: Annotated[str, typer.Option(help="Longest time of the whole command: 9m.")] = "9m",
    commit: Annotated[str | None, typer.Option(help="Commit of this source tree, where it has no history.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the records and the summary.")] = None,
    kernels: Annotated[Path | None, typer.Option(help="Folder of compiled kernels; what it lacks is compiled.")] = None,
    compile_only: Annotated[
        bool, typer.Option(help="Only compile the kernels into --kernels; needs the same triton, but no GPU.")
    ] = False,
    capability: Annotated[
        list[int] | None, typer.Option(help="The GPU's, with --compile-only: 90 is an H100's; repeat for several.")
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option(help="A stage to leave out, or kernels, tests or tuned; repeat.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only show what would be measured, and predicted times.")
    ] = False,
    device: o.Device = "cuda",
    tiny: Annotated[bool, typer.Option(help="Small sizes, to see that everything works.")] = False,
) -> None:
    """Measure on a GPU what matters most, in order of value, until the budget is spent; what is finished is kept."""
    seconds, left_out = o.seconds("--budget", budget) or 540.0, set(skip or ())
    every = gpu_plan.stages(device, tiny)
    if unknown := left_out - {s.name for s in every} - set(BEFORE):
        there = ", ".join([*BEFORE, *(s.name for s in every)])
        raise Problem(f"no stage {sorted(unknown)[0]!r} to skip; there are {there}")
    stages = [s for s in every if s.name not in left_out]
    if plan:
        _plan(seconds, device, tiny, stages, [b for b in visits.SHARES if b not in left_out])
        return
    if compile_only:
        if kernels is None:
            raise Problem("--compile-only needs --kernels FOLDER, which is then carried to the GPU")
        gpu_before.compile_kernels(gpu_plan.launched(stages, tiny), kernels, capability or [90], seconds, _say)
        return
    if device == "cuda" and environment.gpu() is None:
        raise Problem("no NVIDIA GPU here; `--device cpu --tiny` tries the command without one")
    spent, folder = visits.Budget.of(seconds), out or Path("results") / environment.machine()
    folder.mkdir(parents=True, exist_ok=True)
    if device == "cuda":
        kernels = kernels or folder / "kernels"
    if device == "cuda" and "kernels" not in left_out:
        limit, capability = spent.part(COMPILING).left, [environment.capability() or 90]
        gpu_before.compile_kernels(gpu_plan.launched(stages, tiny), kernels or folder, capability, limit, _say)
    tested: dict[str, Any] = {}
    if "tests" not in left_out:
        tested["tests"] = gpu_before.run_tests(spent.part(visits.SHARES["tests"]).left, _say)
    if device == "cuda" and "tuned" not in left_out:
        limit = spent.part(visits.SHARES["tuned"]).left
        tested["tuned"] = gpu_before.tune_shapes(limit, folder, kernels, commit, _say)
    settings = Settings(("latency",), fork=False, kernels=kernels, **GPU)
    pool = visits.Ready(settings.threads, settings.variables, spent, opened=device == "cuda")
    records: list[Record] = []

    def keep(record: Record) -> None:
        records.append(record)
        store.append(folder / "gpu.jsonl", record)
        _sum_up(folder, records, visit, tested)
        reason = f" ({record.reason})" if record.reason else ""
        _say(f"{spent.left:4.0f} s left: {visits.described(Case.from_json(record.case))} {record.status}{reason}")

    with Session(settings, pool) as session:
        if commit:
            session.environment |= {"commit": commit, "dirty": None}
        visit = visits.Visit(session, pool, spent, keep, _say)
        visit.run(device, tiny, stages)
    made = _sum_up(folder, records, visit, tested)
    for line in gpu_summary.lines(made, visit.spent, visit.left_out):
        say(line)
    say(f"{len(records)} records in {folder / 'gpu.jsonl'}")


# one window of energy a process, and one process at a time: the rounds of the stage are what is replicated
GPU: dict[str, Any] = {"warmup": 1.0, "processes": 1}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _sum_up(folder: Path, records: list[Record], visit: visits.Visit, tested: dict[str, Any]) -> dict[str, Any]:
    """Write the summary as it is now, so that it is there when time runs out."""
    made = gpu_summary.summary(records) | tested | {"left_out": visit.left_out, "seconds": visit.spent}
    made |= {"budget": {"seconds": visit.budget.seconds, "left": visit.budget.left}}
    (folder / "summary.json").write_text(json.dumps(made, indent=1) + "\n")
    return made


def _plan(seconds: float, device: str, tiny: bool, stages: list[gpu_plan.Stage], before: list[str]) -> None:
    """Show what a session with this budget would measure, predicted by going through it on a clock of its own."""
    visit = visits.forecast(seconds, device, tiny, stages, before)
    rows = [
        (name, visit.planned[name], visit.planned[name] - len(visit.left_out.get(name, ())), f"{spent:.0f} s")
        for name, spent in visit.spent.items()
    ]
    table(("stage", "processes", "reached", "predicted"), rows)
    say(f"{sum(visit.spent.values()):.0f} of {seconds:.0f} s; the times are those of an H100, loops in proportion to T")
