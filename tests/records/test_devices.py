"""Records of two devices: whatever divides one time by another divides none of them, and does so where both are of one device."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import submitted

from spikebench import claim
from spikebench.analysis import assessment, difference, paired
from spikebench.cases.case import Case, Layer, with_changes
from spikebench.claim import PlannedComparison
from spikebench.errors import Problem
from spikebench.experiments.submit import submit
from spikebench.plots import figures
from spikebench.plots._chart import Chart, View
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.report import html
from spikebench.report.badge import badge
from spikebench.report.flashinfer import write as flashinfer
from spikebench.report.site import boards
from spikebench.report.verdicts import verdicts

BASE, MINE = "lif@eager", "lif@cpu"
RATIO = re.compile(r"\d+x \[[\d.]+, [\d.]+\], n=\d+")
Ask = Callable[[list[Record], Path], object]


def card(number: int) -> dict[str, Any]:
    return {"name": "A GPU", "uuid": f"GPU-{number}", "driver": "1", "memory_bytes": 1}


def measured(case: Case, subjects: Sequence[str], devices: int) -> list[Record]:
    """Five blocks of one run at two lengths; with two devices the first subject is measured on one, all others on the other."""
    found: list[Record] = []
    for T in (case.T, 2 * case.T):
        for k, subject in enumerate(subjects):
            where = card(min(k, devices - 1))
            mine = with_changes(case, subject=subject, T=T)
            found += [submitted.record(mine, T * 1e-5 / (k + 1), r, gpu=where) for r in range(5)]
    return found


def of(records: list[Record], subject: str) -> list[Record]:
    return [r for r in records if r.case["subject"] == subject and r.case["T"] == 64]


def by_claims(records: list[Record], _: Path) -> object:
    """Of every claim on layers: what records of its own cases say, measured on as many devices as those that were given."""
    devices, said = len(paired.by_origin(records)), []
    for name, c in claim.every():
        for q in (q for q in c.scaled if isinstance(q, PlannedComparison) and isinstance(q.case, Layer)):
            mine = measured(q.case, q.subjects, devices)
            said += [f for f in assessment.assessments(name, c, mine) if f.measured is not None]
    return said


def submission(records: list[Record], folder: Path) -> object:
    given = {"definition": "lif", "who": "A", "licence": "MIT", "citation": ""}
    return submit(folder / "made", records, MINE, baseline=BASE, **given).verdicts


ASK: dict[str, Ask] = {
    "paired": lambda records, _: paired.compared(of(records, BASE), of(records, MINE)).ratio,
    "verdicts": lambda records, _: [row for row in verdicts(records) if RATIO.search(row.ratio)],
    "report": lambda records, _: RATIO.findall(html.page(records)),
    "boards": lambda records, _: [t.pairs for b in boards.boards(records) for t in b.tables if t.pairs],
    "badge": lambda records, _: badge([r for r in records if r.case["T"] == 64], MINE, BASE),
    "diff": lambda records, _: difference.rows(
        of(records, BASE), [with_case(r) for r in of(records, MINE)], "latency", {}
    ),
    "speedup": lambda records, _: list(figures("speedup", store.frame(records, details=True))),
    "scaling": lambda records, _: [
        s.subject
        for f in figures("scaling", store.frame(records, details=True), View(baseline=BASE))
        if isinstance(f.what, Chart)
        for s in f.what.series()
    ],
    "submission": submission,
    "claims": by_claims,
    "flashinfer": lambda records, _: [
        t.performance.speedup_factor
        for r in records
        if r.case["subject"] == MINE
        and (t := flashinfer.evaluation(r, flashinfer.references(records).get(flashinfer.block(r)))).performance
        and t.performance.speedup_factor
    ],
}


def with_case(record: Record) -> Record:
    """The record as if it were of the baseline's case, which `diff` compares by."""
    case = with_changes(Case.from_json(record.case), subject=BASE)
    return replace(record, case=case.to_json(), case_id=case.case_id)


def asked(name: str, devices: int, folder: Path) -> object:
    """What a consumer makes of these records, None where it refuses them."""
    try:
        return ASK[name](measured(Case(BASE, T=64, B=2, N=16), (BASE, MINE), devices), folder)
    except Problem:
        return None


@pytest.mark.parametrize("name", ASK)
def test_no_ratio_is_taken_across_two_devices(name: str, tmp_path: Path) -> None:
    assert asked(name, 1, tmp_path / "one"), "it makes one where both are of one device"
    assert not asked(name, 2, tmp_path / "two")
