"""A case id is a promise: every committed record's case is read and written again under the id it was recorded with."""

from pathlib import Path
from typing import Any

import pytest

from spikebench.analysis.select import Table
from spikebench.cases.case import Case, case_id, present_id, with_changes
from spikebench.records import store
from spikebench.records.record import Record
from spikebench.report.rows import trainings

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


OLD = [
    ("spikebench.network:OnePass", "ceiling@eager"),
    ("spikebench.p_spikessm:GeluSampler", "gelu_sampler[ssm=dplr]@fft"),
    ("spikebench.p_spikessm:GeluSampler[ssm=s4d,state=16]@eager", "gelu_sampler[state=16]@fft"),
]


def recorded(old: str) -> dict[str, Any]:
    """A case as versions with the old names wrote it."""
    name, _, options = old.removesuffix("@eager").partition("[")
    given = dict(pair.split("=") for pair in options.rstrip("]").split(",") if pair)
    options = {k: int(v) if v.isdigit() else v for k, v in given.items()}
    way = {"layout": "TB", "adapter": "sequence", "state": "hidden", "reset": None, "output": 0}
    how = {"neuron": name, "options": options, "backend": "eager", "backend_options": way}
    return Case("lif", T=64, B=2, N=8).to_json() | {"subject": f"{old.removesuffix('@eager')}@eager"} | how


@pytest.mark.parametrize(("old", "now"), OLD)
def test_a_subject_recorded_under_an_earlier_name_keeps_its_id_and_is_the_same_work(old: str, now: str) -> None:
    written, new = recorded(old), Case(now, T=64, B=2, N=8)
    read = Case.from_json(written)
    assert read.to_json() == written and read.case_id == case_id(written) != new.case_id
    assert read == new == Case(old, T=64, B=2, N=8) and read.subject == now
    assert Case(old, T=64, B=2, N=8).to_json() == new.to_json(), "a new run is recorded under the name of now"
    assert with_changes(read, seed=1).to_json() == with_changes(new, seed=1).to_json()
    assert present_id(written, read.case_id) == new.case_id
    found = Table([Record("r", read.case_id, read.to_json(), status="ok")])
    assert found.of(new), "an assessment finds it"


def test_ids_of_other_subjects_are_those_of_now() -> None:
    case = Case("lif@cpu", T=64)
    assert present_id(case.to_json(), case.case_id) == case.case_id
    unknown = case.to_json() | {"subject": "gone@nowhere"}
    assert present_id(unknown, "0123456789ab") == "0123456789ab", "a record of what is not here is left as it is"


def test_old_records_of_the_ceiling_are_shown_as_what_it_is() -> None:
    rows = trainings(list(store.read(RESULTS / "amd-epyc-f25m1-2c" / "fsdd.jsonl")))
    ceiling = next(row for row in rows if row["subject"] == "ceiling@eager")
    assert ceiling["seeds"] == "3" and "of ceiling" in ceiling, "it is taken for the ceiling of the others"
