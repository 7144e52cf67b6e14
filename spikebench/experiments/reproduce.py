"""`sb.reproduce` measures the blocks of processes that published claims ask for, claim by claim, and gives the assessments."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikebench import claim as claims
from spikebench import registry
from spikebench.analysis import select
from spikebench.analysis.assessment import Assessment, assessments
from spikebench.cases.arguments import asked
from spikebench.claim import Claim
from spikebench.errors import Problem
from spikebench.experiments.claim_blocks import ClaimBlocks, plan
from spikebench.experiments.settings import settings_of
from spikebench.host import clock, environment
from spikebench.records import store
from spikebench.records.record import FEWEST, Record
from spikebench.records.result_file import opened
from spikebench.run.session import Session
from spikebench.run.settings import Progress, Settings

Named = list[tuple[str, Claim]]
# the block of processes is what is replicated, so that two samples are enough of what takes long
SETTINGS = Settings(metrics=("latency",), samples=10, fewest=2, budget=3600.0)


@asked
def reproduce(
    *names: str,
    full: bool = False,
    source: str | Path | Sequence[str | Path] | None = None,
    data_root: str | Path | None = None,
    out: str | Path | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    settings: Settings | None = None,
    **given: Any,
) -> list[Assessment]:
    """Measure what papers claim, against the paper's opponent and the strongest there is: an assessment, with its verdict, of each.

    `names` are claims (`sb.list("claims")` has them); without any they are all. `full` takes the published sizes, on a GPU.
    With `source`, result files, nothing is measured, and the assessments are what those records say. Records are appended to
    `out`, else to claims.jsonl among the results of this machine; `resume` counts those that it has from this machine,
    these versions and this commit. After `budget` seconds (an hour) only the first question of each claim is begun.
    `given` are fields of `settings`, a `spikebench.run.settings.Settings`.
    """
    named = claims_of(names)
    chosen = settings_of("reproduce", given, settings or SETTINGS)
    if source is not None:
        if given or full or out is not None or resume:
            raise Problem("with source nothing is measured: leave out what is for measuring")
        return assessed(named, store.load(source))
    where = Path(out) if out is not None else Path("results") / environment.machine() / "claims.jsonl"
    root = Path(data_root) if data_root is not None else None
    return assessed(named, _measured(named, full, chosen, where, resume, root, progress))


def claims_of(names: Sequence[str]) -> Named:
    """The claims that are named, or all, the most valuable first; Problem for one that is not there."""
    ids = [registry.find("claims", name) for name in names]
    return [(name, c) for name, c in claims.every() if not ids or name in ids]


def assessed(named: Named, records: Sequence[Record]) -> list[Assessment]:
    """What records say about claims."""
    return [a for name, c in named for a in assessments(name, c, records)]


def _measured(
    named: Named,
    full: bool,
    settings: Settings,
    where: Path,
    resume: bool,
    data_root: Path | None,
    progress: Progress | None,
) -> list[Record]:
    """Measure what the claims ask for, claim by claim; records are appended as they come, and returned with the resumed."""
    tell = progress or (lambda *_: None)
    with opened(where) as file, Session(settings) as session:
        assert file is not None
        records = select.from_here(where, session.environment) if resume else []
        wanted = ClaimBlocks(session, file.append, records, data_root)
        jobs = [(c, *job) for _, c in named for job in plan(c.questions(full))]
        alone, of = len(named) == 1, len(jobs)
        wanted.gates([(q, b, s) for _, q, _, b, s in jobs], lambda w, case: tell(w, case, 0, of))
        begun = start = clock.monotonic()
        current = None
        for k, (c, question, index, block, subjects) in enumerate(jobs):
            if c is not current:
                current, start = c, clock.monotonic()
            now = clock.monotonic()
            over = now - begun >= (settings.budget or math.inf), now - start >= c.budget
            if full or begins(index, block, alone, *over):
                wanted.block(question, block, subjects, lambda w, case, k=k: tell(w, case, k, of))
    return records


def begins(index: int, block: int, alone: bool, over: bool, claim_over: bool) -> bool:
    """Whether a block is begun: of the question at `index` of a claim that was asked for `alone`, or among others.

    `over` and `claim_over`: the time of the run and that of the claim are spent.
    """
    if block < FEWEST and (index == 0 or alone):
        return True
    return not over and not claim_over
