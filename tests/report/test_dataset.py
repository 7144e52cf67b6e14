"""Records as a data set: what it says of its files holds, and the records are in it as they were."""

import csv
import hashlib
import json
import subprocess
from pathlib import Path

import pytest

import spikebench as sb
from spikebench.errors import Problem
from spikebench.records import store

RESULTS = Path(__file__).parents[2] / "results"
FILES = [RESULTS / "amd-epyc-f25m1-2c" / "quick.jsonl", RESULTS / "nvidia-h200-16c"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sb.export(store.load(FILES), "dataset", tmp_path_factory.mktemp("set") / "made", licence="CC-BY-4.0")


def test_every_file_has_the_size_and_checksum_that_the_package_says(folder: Path) -> None:
    package = json.loads((folder / "datapackage.json").read_text())
    paths = {r["path"] for r in package["resources"]}
    there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert there == paths | {"datapackage.json", "SHA256SUMS"}
    for r in package["resources"]:
        content = (folder / r["path"]).read_bytes()
        assert (r["bytes"], r["hash"]) == (len(content), f"sha256:{hashlib.sha256(content).hexdigest()}")
    assert package["licenses"][0]["name"] == "CC-BY-4.0"
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, check=True, capture_output=True)
    assert "Licence: CC-BY-4.0" in (folder / "README.md").read_text()


def test_records_are_in_it_as_they_were(folder: Path) -> None:
    records = store.load(FILES)
    assert sorted(map(store.line, store.load(folder / "records"))) == sorted(map(store.line, records))
    assert {p.stem for p in (folder / "records").iterdir()} == {r.environment.get("machine") for r in records}
    assert json.loads((folder / "schema" / "record.json").read_text()) == sb.schema("record")


def test_the_table_has_the_columns_that_the_package_says(folder: Path) -> None:
    package = json.loads((folder / "datapackage.json").read_text())
    (told,) = (r["schema"]["fields"] for r in package["resources"] if r.get("type") == "table")
    with (folder / "samples.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [f["name"] for f in told] and len(rows) == len(sb.table(FILES))
    made = {"integer": int, "number": float, "boolean": lambda v: {"True": True, "False": False}[v], "string": str}
    for f in told:
        assert all(made[f["type"]](row[f["name"]]) is not None for row in rows if row[f["name"]]), f
    assert {f["name"]: f["type"] for f in told}["value"] == "number"


def test_the_same_records_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = sb.export(store.load(FILES), "dataset", tmp_path / "again", licence="CC-BY-4.0")
    assert (again / "SHA256SUMS").read_bytes() == (folder / "SHA256SUMS").read_bytes()


def test_frictionless_finds_it_valid(folder: Path) -> None:
    frictionless = pytest.importorskip("frictionless", reason="needs pip install 'frictionless[json]'")
    report = frictionless.validate(str(folder / "datapackage.json"))
    assert report.valid, report.flatten(["type", "message"])


def test_what_cannot_be_made_is_said_in_a_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="is not empty; name a new folder"):
        sb.export(store.load(FILES), "dataset", folder)
    with pytest.raises(Problem, match="is no SPDX name of a licence"):
        sb.export(store.load(FILES[0]), "dataset", tmp_path / "a", licence="do what you like")
    with pytest.raises(Problem, match="nothing to make a data set of"):
        sb.export([], "dataset", tmp_path / "b")
