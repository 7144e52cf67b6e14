"""A GPU session from its beginning to its summary: kernels compiled, tests, shapes tuned, then all that the budget reaches."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.experiments import gpu_before, gpu_plan, gpu_summary
from spikebench.experiments.gpu import SHARES, Budget, Ready, Visit, described
from spikebench.experiments.gpu_before import Before
from spikebench.host import environment
from spikebench.records.record import Record
from spikebench.records.result_file import ResultFile
from spikebench.run.session import Session
from spikebench.run.settings import Settings

BEFORE = ("kernels", "tests", "tuned")  # what can be skipped besides the stages
COMPILING = 0.15  # share of the budget for kernels that are not there
# one window of energy a process, and one process at a time: the rounds of the stage are what is replicated
SETTINGS = Settings(metrics=("latency",), fork=False, warmup=1.0, processes=1)


@dataclass(frozen=True)
class Asked:
    """What a GPU session is asked for: seconds, where its files go, and what is left out of it.

    `kernels` is a folder of compiled kernels, `commit` that of the source tree where it has no history, `say` takes lines
    of progress.
    """

    seconds: float
    folder: Path
    say: Callable[[str], None]
    kernels: Path | None = None
    commit: str | None = None
    device: str = "cuda"
    tiny: bool = False
    left_out: frozenset[str] = frozenset()

    def stages(self) -> list[gpu_plan.Stage]:
        """The stages that are not left out; Problem if one is to be left out that is not there."""
        every = gpu_plan.stages(self.device, self.tiny)
        if unknown := self.left_out - {s.name for s in every} - set(BEFORE):
            there = ", ".join([*BEFORE, *(s.name for s in every)])
            raise Problem(f"no stage {sorted(unknown)[0]!r} to skip; there are {there}")
        return [s for s in every if s.name not in self.left_out]


@dataclass(frozen=True)
class Visited:
    """What a GPU session gave: its records, its summary, and the visit, which knows what was not reached."""

    records: list[Record]
    summary: gpu_summary.Summary
    visit: Visit


def visit_gpu(asked: Asked) -> Visited:
    """Measure what the budget reaches, most valuable first; records and summary are written as they come."""
    stages = asked.stages()
    if asked.device == "cuda" and environment.gpu() is None:
        raise Problem("no NVIDIA GPU here; `--device cpu --tiny` tries the command without one")
    spent = Budget.of(asked.seconds)
    asked.folder.mkdir(parents=True, exist_ok=True)
    kernels = asked.kernels or (asked.folder / "kernels" if asked.device == "cuda" else None)
    tested = _before(asked, stages, spent, kernels)
    settings = replace(SETTINGS, kernels=kernels)
    pool = Ready(settings.threads, settings.variables, spent, opened=asked.device == "cuda")
    records, file = list[Record](), ResultFile(asked.folder / "gpu.jsonl", asked.say)

    def keep(record: Record) -> None:
        records.append(record)
        file.append(record)
        _sum_up(asked.folder, records, visit, tested)
        reason = f" ({record.reason})" if record.reason else ""
        asked.say(f"{spent.left:4.0f} s left: {described(Case.from_json(record.case))} {record.status}{reason}")

    with Session(settings, pool) as session:
        if asked.commit:
            session.environment |= {"commit": asked.commit, "dirty": None}
        visit = Visit(session, pool, spent, keep, asked.say)
        visit.run(asked.device, asked.tiny, stages)
    file.close()
    return Visited(records, _sum_up(asked.folder, records, visit, tested), visit)


def _before(asked: Asked, stages: list[gpu_plan.Stage], spent: Budget, kernels: Path | None) -> Before:
    """What comes before the stages, as far as it is not left out: what the tests and the tuning gave."""
    found = Before()
    if asked.device == "cuda" and "kernels" not in asked.left_out:
        limit, capability = spent.part(COMPILING).left, [environment.capability() or 90]
        cases = gpu_plan.launched(stages, asked.tiny)
        gpu_before.compile_kernels(cases, kernels or asked.folder, capability, limit, asked.say)
    if "tests" not in asked.left_out:
        found = replace(found, tests=gpu_before.run_tests(spent.part(SHARES["tests"]).left, asked.say))
    if asked.device == "cuda" and "tuned" not in asked.left_out:
        limit = spent.part(SHARES["tuned"]).left
        tuned = gpu_before.tune_shapes(limit, asked.folder, kernels, asked.commit, asked.say)
        found = replace(found, tuned=tuned)
    return found


def _sum_up(folder: Path, records: list[Record], visit: Visit, tested: Before) -> gpu_summary.Summary:
    """Write the summary as it is now, so that it is there when time runs out."""
    made = gpu_summary.summary(records)
    spent = {"seconds": visit.budget.seconds, "left": visit.budget.left}
    said = {**made.to_json(), **tested.to_json(), "left_out": visit.left_out, "seconds": visit.spent, "budget": spent}
    (folder / "summary.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    return made
