"""Results on disk: nothing that was measured is lost, nothing that is read is executed."""

import json
import multiprocessing
import os
from pathlib import Path
from typing import cast

import pytest

from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson


def record(run: str = "r", **fields: object) -> Record:
    case = Case("lif@eager", T=8, B=1, N=4)
    samples = Measurement("latency", "s", samples=[1e-3, 2e-3])
    return Record(run, case.case_id, case.to_json(), measurements=[samples], environment={"machine": "m"}, **fields)  # pyright: ignore[reportArgumentType]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "r.jsonl"
    store.append(path, record("a"))
    store.append(path, record("b", status="timeout", reason="late", flags=["contended"]))
    assert list(store.read(path)) == [record("a"), record("b", status="timeout", reason="late", flags=["contended"])]


def test_a_torn_line_is_skipped_named_and_closed(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    store.append(path, record("a"))
    with path.open("a") as file:
        file.write('{"schema":1,"run":"to')
    store.append(path, record("b"))
    notes: list[str] = []
    assert [r.run for r in store.read(path, notes)] == ["a", "b"]
    assert notes == [f"{path}:2: skipped: a torn or foreign line"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("[1, 2]", "not a JSON object"),
        ('{"schema": 99, "run": "x"}', "schema 99 is newer than 2"),
        ('{"run": "x"}', "schema None"),
        ('{"schema": 1, "run": "x"}', "case_id is not there"),
        ('{"schema": 1, "run": "x", "case_id": "c", "case": {}, "measurements": 5}', ""),
        ("[" * 200_000, ""),
        ("\x00\xff", "torn or foreign"),
    ],
)
def test_lines_that_are_no_record_are_skipped_with_a_reason(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(line + "\n")
    store.append(path, record("good"))
    notes: list[str] = []
    assert [r.run for r in store.read(path, notes)] == ["good"]
    assert len(notes) == 1
    assert why in notes[0]


def test_a_line_of_enormous_length_is_not_read_into_memory_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LONGEST_LINE", 10_000)
    path = tmp_path / "r.jsonl"
    path.write_text('{"x": "' + "a" * 50_000 + '"}\n')
    store.append(path, record("good"))
    notes: list[str] = []
    assert [r.run for r in store.read(path, notes)] == ["good"]
    assert len(notes) == 1


def test_unknown_fields_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(json.dumps(record().to_json() | {"later": {"a": 1}}) + "\n")
    (found,) = store.read(path)
    assert found.extra == {"later": {"a": 1}}
    store.append(path, found)
    assert [json.loads(line)["later"] for line in path.read_text().splitlines()] == [{"a": 1}, {"a": 1}]


def _write_many(path: Path, name: str) -> None:
    for _ in range(50):
        store.append(path, record(name))


def test_two_writers_into_one_file_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, name)) for name in "ab"]
    for w in writers:
        w.start()
    for w in writers:
        w.join()
    notes: list[str] = []
    runs = [r.run for r in store.read(path, notes)]
    assert (runs.count("a"), runs.count("b"), notes) == (50, 50, [])


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match=r"cannot write .*--out"):
        store.append(tmp_path / "file" / "r.jsonl", record())


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.jsonl"
    store.append(path, record("a"))
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:20]))
    with pytest.raises(Problem, match="disk"):
        store.append(path, record("b"))
    monkeypatch.undo()
    store.append(path, record("c"))
    notes: list[str] = []
    assert [r.run for r in store.read(path, notes)] == ["a", "c"]
    assert notes == []


def test_not_a_number_is_never_written(tmp_path: Path) -> None:
    bad = Record("r", "c", cast(CaseJson, {}), measurements=[Measurement("latency", "s", samples=[float("nan")])])
    with pytest.raises(ValueError, match="JSON compliant"):
        store.append(tmp_path / "r.jsonl", bad)


def test_the_table_has_a_row_per_sample_and_one_for_a_record_without(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    store.append(path, record("a"))
    store.append(path, Record("b", "c", record().case, status="oom", reason="too big"))
    frame = store.table(str(tmp_path / "*.jsonl"))
    assert list(frame["value"][:2]) == [1e-3, 2e-3]
    assert list(frame["status"]) == ["ok", "ok", "oom"]
    assert frame["reason"].iloc[2] == "too big"
    assert frame["unit"].iloc[0] == "s"


def test_a_pattern_that_names_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no results at"):
        store.table(tmp_path / "nothing.jsonl")
