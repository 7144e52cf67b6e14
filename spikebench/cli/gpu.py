"""The command that measures all it can on a GPU in a few minutes: tests of the kernels, gates, sweeps, energy, claims."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from spikebench.cases.case import Case
from spikebench.cli import options as o
from spikebench.errors import Problem
from spikebench.experiments import gpu as tour
from spikebench.host import environment
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.run.session import Settings

TESTS = Path("tests/gpu")


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(gpu)


def gpu(
    budget: Annotated[str, typer.Option(help="Longest time of the whole command: 9m.")] = "9m",
    commit: Annotated[str | None, typer.Option(help="Commit of this source tree, where it has no history.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the records and the summary.")] = None,
    kernels: Annotated[Path | None, typer.Option(help="Folder of compiled kernels; what it lacks is compiled.")] = None,
    compile_only: Annotated[
        bool,
        typer.Option(help="Only compile the kernels into --kernels; needs no GPU, but the same version of triton."),
    ] = False,
    capability: Annotated[int, typer.Option(help="The GPU's, with --compile-only: 90 is an H100's.")] = 90,
    device: o.Device = "cuda",
    tiny: Annotated[bool, typer.Option(help="Small sizes, to see that everything works.")] = False,
    timeout: o.Timeout = "120s",
) -> None:
    """Measure on a GPU what matters most, in order of value, until the budget is spent; what is finished is kept."""
    spent = tour.Budget.of(o.seconds("--budget", budget) or 540.0)
    if compile_only:
        if kernels is None:
            raise Problem("--compile-only needs --kernels FOLDER, which is then carried to the GPU")
        _compile(kernels, capability, tiny, spent)
        return
    if device == "cuda" and environment.gpu() is None:
        raise Problem("no NVIDIA GPU here; `--device cpu --tiny` tries the command without one")
    folder = out or Path("results") / environment.machine()
    folder.mkdir(parents=True, exist_ok=True)
    if device == "cuda":
        kernels = kernels or folder / "kernels"
        _compile(kernels, environment.capability() or capability, tiny, spent.part(0.2))
    tests = _tests(spent.part(0.3))
    settings = Settings(metrics=("latency",), timeout=o.seconds("--timeout", timeout), fork=False, kernels=kernels)
    records: list[Record] = []
    left_out: dict[str, int] = {}

    def sum_up(more: Sequence[Record] = ()) -> None:
        made = tour.summary([*records, *more], left_out) | {"tests": tests}
        made |= {"budget": {"seconds": spent.seconds, "left": spent.left}}
        (folder / "summary.json").write_text(json.dumps(made, indent=1) + "\n")

    def keep(record: Record) -> None:
        records.append(record)
        store.append(folder / "gpu.jsonl", record)
        sum_up()
        reason = f" ({record.reason})" if record.reason else ""
        _say(f"{spent.left:4.0f} s left: {record.case['subject']} {record.status}{reason}")

    with tour.Borrowed(settings, spent, commit) as session:
        for stage in tour.stages(device, tiny):
            _say(f"{stage.name}: {len(stage.cases)} cases")
            left_out[stage.name] = tour.measured(session, stage, keep)
        records += _claims(session, folder / "gpu.jsonl", tiny, sum_up)
    sum_up()
    print(f"{len(records)} records in {folder}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _compile(folder: Path, capability: int, tiny: bool, budget: tour.Budget) -> None:
    """Every kernel that the command asks for, on all cores at once; what is in the folder already takes no time."""
    if find_spec("triton") is None:
        _say("no kernels are compiled ahead: triton is not installed")
        return
    cases = dict.fromkeys(c for stage in tour.stages("cuda", tiny) for c in stage.cases if c.parsed.backend == "triton")
    command = [sys.executable, "-m", "spikebench.experiments.ahead", str(folder), str(capability)]
    text = "\n".join(json.dumps(c.to_json()) for c in cases)
    try:
        done = subprocess.run(
            [*command, str(environment.threads())], input=text, stdout=subprocess.PIPE, text=True, timeout=budget.left
        )
    except subprocess.TimeoutExpired:
        _say(f"kernels: stopped after {budget.seconds:.0f} s; the rest is compiled when first called")
        return
    if done.returncode:
        _say("kernels: compiling ahead failed, see above; they are compiled when first called")
        return
    found = json.loads(done.stdout)
    for subject, _, why in found:
        if why:
            _say(f"kernels of {subject}: {why}")
    _say(f"kernels: {sum(count for _, count, _ in found)} launches of {len(found)} cases are compiled in {folder}")


def _tests(budget: tour.Budget) -> dict[str, Any]:
    """The tests that need a GPU, on all cores: how they ended, and the end of their report."""
    if not (TESTS.is_dir() and find_spec("pytest")):
        _say("the tests of the kernels are left out: no tests/gpu here, or pytest is not installed")
        return {"left_out": "no tests/gpu here, or pytest is not installed"}
    side_by_side = min(8, environment.threads() // 2)
    many = ["-n", str(side_by_side)] if find_spec("xdist") and side_by_side > 1 else []
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:benchmark", *many, str(TESTS)]
    with tempfile.TemporaryFile("w+") as log:
        code = None
        try:
            limit = max(1.0, budget.left)
            code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=limit, check=False).returncode
        except subprocess.TimeoutExpired:
            log.write(f"\nstopped after {budget.seconds:.0f} s\n")
        log.seek(0)
        lines = log.read().strip().splitlines()
    _say(lines[-1] if lines else "the tests printed nothing")
    return {"exit": code, "report": lines[-60:]}


def _claims(session: tour.Borrowed, file: Path, tiny: bool, sum_up: Callable[[list[Record]], None]) -> list[Record]:
    """Published claims at their own sizes, as far as the budget goes; their verdicts come from `reproduce --from`.

    Their gates come first, side by side: at T = 10,000 they take as long as the timings.
    """
    from spikebench import claim as claims
    from spikebench.experiments.campaign import Campaign, plan

    records: list[Record] = []
    campaign = Campaign(session, file, records, None)
    jobs = [(q, b, s) for _, c in claims.every() if c.full for q, _, b, s in plan(c.full)]
    jobs = [] if tiny else sorted(jobs, key=lambda job: job[1])

    def tell(what: str, case: Case) -> None:
        _say(f"{session.budget.left:4.0f} s left: claim: {case.subject} {what}")

    if session.budget.left > 0:
        campaign.gates(jobs, tell)
    for question, block, subjects in jobs:
        if session.budget.left > 0:
            campaign.block(question, block, subjects, tell)
            sum_up(records)
    return records
