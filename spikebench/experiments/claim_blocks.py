"""Measures the blocks of processes that claims ask for. `claim.py` says what they ask, `assessment.py` what came of it."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from spikebench.analysis.select import Table
from spikebench.cases.case import Case, Training
from spikebench.claim import PlannedComparison, Question
from spikebench.records.record import Record
from spikebench.run import blocks
from spikebench.run.blocks import Keep
from spikebench.run.session import Session

Tell = Callable[[str, Case], None]


def plan(questions: Sequence[Question]) -> Iterator[tuple[Question, int, int, list[str]]]:
    """Every block of every question with its place among the questions, first blocks first."""
    wanted = [
        (block, index, question, subjects)
        for index, question in enumerate(questions)
        for subjects, first, last in _stages(question)
        for block in range(first, last)
    ]
    for block, index, question, subjects in sorted(wanted, key=lambda w: w[:2]):
        yield question, index, block, subjects


def _stages(question: Question) -> Iterator[tuple[list[str], int, int]]:
    done = 0
    for subjects, count in question.stages() if isinstance(question, PlannedComparison) else [([], 1)]:
        yield subjects, done, count
        done = count


def _cases(question: Question, block: int, subjects: list[str]) -> list[Case]:
    return question.cases(block, subjects) if isinstance(question, PlannedComparison) else question.cases()


class ClaimBlocks:
    """Measures blocks of claims. It knows the records so far, so that no block is measured twice; `keep` takes the new ones."""

    def __init__(self, session: Session, keep: Keep, records: list[Record], data_root: Path | None) -> None:
        self.session, self.keep, self.records, self.data_root = session, keep, records, data_root
        self.table = Table(records)

    def gates(self, jobs: Iterable[tuple[Question, int, list[str]]], tell: Tell) -> None:
        """The gates of all that blocks will ask of a GPU, side by side, before anything is timed."""
        cases = [c for question, block, subjects in jobs for c in _cases(question, block, subjects)]
        wanted = [c for c in cases if c.device == "cuda"]
        for case, outcome in self.session.gates(wanted) if wanted else ():
            tell(f"gate {outcome.status}", case)

    def block(self, question: Question, block: int, subjects: list[str], tell: Tell) -> None:
        """Measure a block, in random order, unless it is there; cases that went wrong before are left out."""
        cases = _cases(question, block, subjects)
        cases = [c for c in cases if not self.table.problem([c])]
        metric = question.metric
        if not cases or len(self.table.blocks(cases, metric)) > block:
            return
        repeat = 1 + max((r for c in cases for run, r in self.table.of(c) if run == self.session.run_id), default=-1)
        order = random.Random(f"{cases[0].case_id} {repeat}")
        if not isinstance(cases[0], Training):
            tell("start", cases[0])
            metrics = blocks.metrics_of(metric, block) if metric == "latency" else (metric,)
            self._keep(record for _, record in blocks.block(self.session, cases, repeat, metrics, order))
            return
        for case in order.sample(cases, len(cases)):
            tell("start", case)
            self._keep([self.session.train(case, self.data_root)])

    def _keep(self, made: Iterable[Record]) -> None:
        for record in made:
            if record.status != "refused":
                self.keep(record)
            self.records.append(record)
            self.table.add(record)
