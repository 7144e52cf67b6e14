"""Records for other tools, read back."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from pytest_benchmark.stats import Stats

from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.origin import origin
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson
from spikebench.report import export

RESULTS = Path(__file__).parents[2] / "results" / "amd-epyc-f25m1-2c"
CASE = {"subject": "lif@cpu", "mode": "train", "workload": "layer", "T": 128, "B": 4, "N": 8, "dtype": "float32"}
CASE |= {"device": "cpu", "rate": 0.3, "seed": 0, "network": None, "task": None}


def record(*medians: float, repeat: int = 0, **changes: Any) -> Record:
    times = Measurement("latency", "s", samples=list(medians))
    rate = Measurement("spike_rate", "1", samples=[0.3])
    fields: dict[str, Any] = {"measurements": [times, rate], "environment": {"machine": "m"}}
    return Record("r", "c", cast(CaseJson, CASE), repeat=repeat, **(fields | changes))


SEVERAL = [record(1e-3, 2e-3, 3e-3), record(4e-3, repeat=1), record(9.0, status="wrong")]


def test_csv_holds_every_sample(tmp_path: Path) -> None:
    rows = export.write(store.load(RESULTS), "csv", tmp_path / "a" / "x.csv")
    back, table = pd.read_csv(tmp_path / "a" / "x.csv"), store.table(RESULTS)
    assert rows == len(back) == len(table)
    assert list(back.columns) == list(table.columns)
    assert back["value"].tolist() == table["value"].tolist()


def test_csv_quotes_names(tmp_path: Path) -> None:
    name = 'a,"b"\n=1+1;@cpu'
    export.write([Record("r", "c", cast(CaseJson, CASE | {"subject": name}))], "csv", tmp_path / "x.csv")
    assert pd.read_csv(tmp_path / "x.csv")["subject"].tolist() == [name]


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="pyarrow is not installed; it is the extra `parquet`")
    export.write(store.load(RESULTS), "parquet", tmp_path / "x.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "x.parquet"), store.table(RESULTS), check_dtype=False)


def test_parquet_without_pyarrow_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(Problem, match="pip install 'spikebench\\[parquet\\]'"):
        export.write(SEVERAL, "parquet", tmp_path / "x.parquet")


def test_bencher(tmp_path: Path) -> None:
    assert export.write(SEVERAL, "bencher", tmp_path / "x.json") == 1
    found = json.loads((tmp_path / "x.json").read_text())["lif@cpu train T=128 B=4 N=8"]
    assert found["latency"] == pytest.approx({"value": 3e6, "lower_value": 2e6, "upper_value": 4e6})  # nanoseconds
    assert found["spike_rate"]["value"] == 0.3


def test_github_takes_what_is_better_when_smaller(tmp_path: Path) -> None:
    export.write(SEVERAL, "github", tmp_path / "x.json")
    [entry] = json.loads((tmp_path / "x.json").read_text())
    assert entry.pop("value") == pytest.approx(3e-3)
    names = {"name": "lif@cpu train T=128 B=4 N=8 latency", "unit": "s", "range": "0.002 to 0.004"}
    assert entry == names | {"extra": "2 processes"}


def test_cases_and_machines_are_kept_apart() -> None:
    two = [record(1.0), record(2.0, environment={"machine": "other"})]
    assert [f.name.rsplit(" ", 1)[1] for f in export.figures(two) if f.metric == "latency"] == [
        str(origin(r)) for r in two
    ]
    named = {export.label(r.case): r.case_id for r in store.load(RESULTS) if r.case["workload"] == "layer"}
    assert (
        len(named)
        == len(set(named.values()))
        == len({r.case_id for r in store.load(RESULTS) if r.case["workload"] == "layer"})
    )


def test_pytest_benchmark_reads_what_is_written_for_it(tmp_path: Path) -> None:
    assert export.write(SEVERAL, "pytest-benchmark", tmp_path / "0001_x.json") == 1
    (found,) = json.loads((tmp_path / "0001_x.json").read_text())["benchmarks"]
    data = [v for r in SEVERAL if r.status == "ok" and (m := r.measurement("latency")) for v in m.samples]
    own = Stats()
    for value in data:
        own.update(value)
    theirs = {k: v for k, v in own.as_dict().items() if k not in ("q1", "q3", "iqr", "iqr_outliers", "outliers")}
    assert {k: found["stats"][k] for k in theirs} == pytest.approx(theirs)
    done = subprocess.run(
        [sys.executable, "-m", "pytest_benchmark", "compare", str(tmp_path / "0001_x.json")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "lif@cpu train T=128 B=4 N=8" in done.stdout


@pytest.mark.parametrize("to", ["bencher", "github", "pytest-benchmark"])
def test_nothing_to_export_is_said(to: str, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="no record here is ok"):
        export.write([record(1.0, status="wrong")], to, tmp_path / "x.json")
    with pytest.raises(Problem, match="no format 'xml'; there are csv, parquet, bencher, github, pytest-benchmark"):
        export.write(SEVERAL, "xml", tmp_path / "x")
