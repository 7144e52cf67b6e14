"""The command that measures all it can on a GPU in a few minutes: tests of the kernels, gates, sweeps, energy, claims."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from spikebench import environment, store
from spikebench import gpu as tour
from spikebench.cli import options as o
from spikebench.record import Record
from spikebench.rooms import Problem
from spikebench.runner import Settings

TESTS = Path("tests/gpu")


def add_to(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(gpu)


def gpu(
    budget: Annotated[str, typer.Option(help="Longest time of the whole command: 9m.")] = "9m",
    commit: Annotated[str | None, typer.Option(help="Commit of this source tree, where it has no history.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for records and summary.")] = None,
    device: o.Device = "cuda",
    tiny: Annotated[bool, typer.Option(help="Small sizes, to see that everything works.")] = False,
    timeout: o.Timeout = "120s",
) -> None:
    """Measure on a GPU what matters most, in order of value, until the budget is spent; what is finished is kept."""
    spent = tour.Budget.of(o.seconds("--budget", budget) or 540.0)
    if device == "cuda" and environment.gpu() is None:
        raise Problem("no NVIDIA GPU here; `--device cpu --tiny` tries the command without one")
    folder = out or Path("results") / environment.machine()
    folder.mkdir(parents=True, exist_ok=True)
    _tests(folder, spent.part(0.3))
    settings = Settings(metrics=("latency",), timeout=o.seconds("--timeout", timeout), fork=False)
    records: list[Record] = []
    left_out: dict[str, int] = {}

    def sum_up() -> None:
        made = tour.summary(records, left_out) | {"budget": {"seconds": spent.seconds, "left": spent.left}}
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
        _claims(session, folder, tiny)
    sum_up()
    print(f"{len(records)} records in {folder}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tests(folder: Path, budget: tour.Budget) -> None:
    """The tests that need a GPU, on all cores; their report is a file in the folder."""
    if not (TESTS.is_dir() and find_spec("pytest")):
        _say("the tests of the kernels are left out: no tests/gpu here, or pytest is not installed")
        return
    side_by_side = min(8, environment.threads() // 2)
    many = ["-n", str(side_by_side)] if find_spec("xdist") and side_by_side > 1 else []
    command = [sys.executable, "-m", "pytest", "-q", *many, f"--junitxml={folder / 'tests.xml'}", str(TESTS)]
    with (folder / "tests.log").open("w") as log:
        try:
            subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, timeout=max(1.0, budget.left), check=False)
        except subprocess.TimeoutExpired:
            log.write(f"\nstopped after {budget.seconds:.0f} s\n")
    _say((folder / "tests.log").read_text().strip().splitlines()[-1])


def _claims(session: tour.Borrowed, folder: Path, tiny: bool) -> None:
    """Published claims at their own sizes, as far as the budget goes; their verdicts come from `reproduce --from`."""
    from spikebench import claim as claims
    from spikebench.campaign import Campaign, plan

    campaign = Campaign(session, folder / "claims.jsonl", [], None)
    jobs = [(q, b, s) for _, c in claims.every() if c.full for q, _, b, s in plan(c.full)]
    for question, block, subjects in [] if tiny else sorted(jobs, key=lambda job: job[1]):
        if session.budget.left > 0:
            campaign.block(question, block, subjects, lambda what, case: _say(f"claim: {case.subject} {what}"))
