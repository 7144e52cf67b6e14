"""A case id is a promise: every committed record's case is read and written again under the id it was recorded with."""

import json
from pathlib import Path

import pytest

from spikebench.cases.case import Case, case_id
from spikebench.records import store
from spikebench.records.record import Record

RESULTS = Path(__file__).parents[2] / "results"
FILES = sorted(p for p in RESULTS.rglob("*.jsonl"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_committed_record_loads_and_keeps_its_case_id(path: Path) -> None:
    notes: list[str] = []
    records = list(store.read(path, notes))
    assert not notes and len(records) == sum(bool(line.strip()) for line in path.read_text().splitlines()) > 0
    for record in {r.case_id: r for r in records}.values():
        assert case_id(record.case) == record.case_id, "the recorded case does not give the recorded id"
        assert Case.from_json(record.case).case_id == record.case_id, f"{record.case['subject']} got another id"


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_committed_record_is_written_as_it_was_read(path: Path) -> None:
    for line in filter(str.strip, path.read_text().splitlines()):
        found = json.loads(line)
        again = Record.from_json(found).to_json()
        assert {k: v for k, v in again.items() if k in found} == found
        assert not any(again[k] for k in again.keys() - found.keys()), "something is written that was not recorded"
