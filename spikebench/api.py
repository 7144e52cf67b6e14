"""The Python face of the road: run cases and compare subjects from a script or a notebook."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spikebench.analysis.comparison import Comparison
from spikebench.analysis.pairs import Pairs
from spikebench.cases.case import Case
from spikebench.experiments.compare import compare as in_pairs
from spikebench.experiments.profile import profile as profile
from spikebench.records.record import Record
from spikebench.run import session as runner


def run(cases: Iterable[Case], out: str | Path | None = None, resume: bool = False, **settings: Any) -> list[Record]:
    """Measure cases, each in fresh processes, and return their records; `out` is a JSON Lines file to append to.

    `settings` are the fields of `spikebench.run.session.Settings`: metrics, samples, timeout, memory_limit, budget, repeats,
    threads. `spikebench.records.store.frame(records)` makes a tidy pandas frame of the result.
    """
    where = Path(out) if out is not None else None
    return list(runner.run(list(cases), runner.Settings(**settings), where, resume))


def compare(
    *subjects: str, blocks: int | str = "5-20", out: str | Path | None = None, **fields: Any
) -> list[Comparison]:
    """Compare subjects in live pairs; the first one is the baseline. `fields` are those of a Case: T, B, N, mode …

    `blocks` is 10 for exactly ten pairs, or "5-20" for as many as it takes (`spikebench.analysis.pairs` has the rule).
    """
    case = Case(subject=subjects[0], **fields)
    return list(in_pairs(subjects, case, Pairs.of(blocks), out=Path(out) if out is not None else None))
