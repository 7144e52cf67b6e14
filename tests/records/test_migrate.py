"""Records of schema 1 are read as schema 2: nothing is lost, unknown fields are kept, a newer schema is refused by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spikebench.cases.case import Case
from spikebench.records.gate import GateResult
from spikebench.records.migrate import SCHEMA, migrated
from spikebench.records.record import Measurement, Record

RESULTS = Path(__file__).parents[2] / "results"
FILES = sorted(RESULTS.rglob("*.jsonl"))
ADDED = {"bias", "layer", "network", "gradient_error", "parameter_error", "entry_error"}  # of a gate and its probes


def as_schema_1(now: dict[str, Any], then: dict[str, Any]) -> dict[str, Any]:
    """What was read, said as schema 1 does: without the nulls that schema 2 adds, and with `turns`."""

    def bare(data: dict[str, Any], was: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in data.items() if k in was or k not in ADDED or v is not None}

    back = {k: v for k, v in now.items() if k in then or (k, v) not in (("pairs", None), ("repeat", 0))}
    back["schema"] = then["schema"]
    if now["gate"]:
        back["gate"] = bare(now["gate"], then["gate"])
        pairs = zip(now["gate"]["probes"], then["gate"]["probes"], strict=True)
        back["gate"]["probes"] = [bare(probe, was) for probe, was in pairs]
    for m in back["measurements"]:
        m["detail"] = {"turns" if k == "interleaved" else k: v for k, v in m["detail"].items()}
    return back


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_every_committed_record_is_migrated_without_loss(path: Path) -> None:
    for line in filter(str.strip, path.read_text().splitlines()):
        then = json.loads(line)
        record = Record.from_json(json.loads(line))
        now = record.to_json()
        assert now["schema"] == SCHEMA and then["schema"] <= SCHEMA
        assert Record.from_json(json.loads(json.dumps(now))) == record
        assert (as_schema_1(now, then) if then["schema"] == 1 else now) == then


def a_record(**fields: Any) -> dict[str, Any]:
    return {"schema": 1, "run": "r", "case_id": "c", "case": Case("lif@eager").to_json(), "status": "ok"} | fields


def test_a_gate_and_a_detail_get_their_present_form() -> None:
    probe = {"name": "timed input", "passed": True, "reason": None, "series": 3, "differing": 0, "worst_margin": 0.5}
    gate = {"status": "passed", "reason": None, "spikes": 7.0, "probes": [probe | {"spikes": 7.0}]}
    measured = {"metric": "latency", "unit": "s", "samples": [1.0], "detail": {"turns": True, "group": 2}}
    record = Record.from_json(a_record(gate=gate, measurements=[measured]))
    assert record.gate and record.gate.bias is None and record.gate.probes[0].entry_error is None
    assert record.measurements[0].detail == {"interleaved": True, "group": 2}
    assert record.schema == 2 and record.pairs is None


def test_fields_of_a_later_version_are_kept_wherever_they_stand() -> None:
    network = {"status": "passed", "reason": None, "dtype": "float64", "B": 4, "new": 1}
    gate = {"status": "passed", "reason": None, "spikes": 7.0, "probes": [], "network": network, "new": 2}
    measured = {"metric": "latency", "unit": "s", "samples": [1.0], "detail": {}, "new": 3}
    written: Any = Record.from_json(a_record(gate=gate, measurements=[measured], new=4)).to_json()
    found = (written["gate"]["network"], written["gate"], written["measurements"][0], written)
    assert [part["new"] for part in found] == [1, 2, 3, 4]


def test_what_is_no_number_is_written_as_null() -> None:
    probe = {"name": "p", "passed": False, "reason": "off", "series": 1, "differing": 1, "worst_margin": float("inf")}
    gate = {"status": "failed", "reason": "off", "probes": [probe | {"spikes": 0.0}]}
    measured = Measurement("m", "1", samples=[1.0, float("nan")], detail={"x": float("inf")})
    record = replace(Record.from_json(a_record()), gate=GateResult.from_json(gate), measurements=[measured])
    written: Any = record.finite().to_json()
    assert written["gate"]["probes"][0]["worst_margin"] is None
    assert written["measurements"][0]["samples"] == [1.0] and written["measurements"][0]["detail"] == {"x": None}
    json.dumps(written, allow_nan=False)


@pytest.mark.parametrize(
    ("schema", "said"), [(3, "schema 3 is newer than 2"), (0, "schema 0"), (True, "schema True"), (None, "None")]
)
def test_another_schema_is_refused_by_name(schema: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        migrated(a_record(schema=schema))
