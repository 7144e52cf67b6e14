"""Records as runs of TensorBoard and of Weights & Biases, read back by what these libraries bring."""

import json
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

import spikebench as sb
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.records.schema import CaseJson
from spikebench.report import trackers
from spikebench.report.cite import plain

RESULTS = Path(__file__).parents[2] / "results" / "amd-epyc-f25m1-2c"
CURVE = "latency (s)/train B=4 N=8"
CASE = {"subject": "lif@cpu", "neuron": "lif", "mode": "train", "workload": "layer", "B": 4, "N": 8, "seed": 0}


def record(T: int, *samples: float, **changes: Any) -> Record:
    times = Measurement("latency", "s", samples=list(samples))
    given: dict[str, Any] = {"environment": {"machine": "m", "time": 1.7e9 + T}, "measurements": [times]}
    return Record("r", f"c{T}", cast(CaseJson, CASE | {"T": T}), **(given | changes))


SEVERAL = [record(8, 1.0, 2.0, 3.0), record(8, 4.0, repeat=1), record(16, 5.0), record(32, 9.0, status="wrong")]


def trained(*curve: float) -> Record:
    case = cast(CaseJson, CASE | {"T": 100, "workload": "training", "task": "digits", "seed": 3})
    found = [Measurement("accuracy_curve", "1", samples=list(curve)), Measurement("accuracy", "1", samples=[curve[-1]])]
    return replace(SEVERAL[0], case=case, case_id="t", measurements=found)


def test_a_curve_is_over_T_and_of_a_training_over_its_epochs() -> None:
    layer, training = trackers.runs([*SEVERAL, trained(0.5, 0.75)])
    assert [(p.curve, p.step, p.value) for p in layer.points] == [(CURVE, 8, 3.0), (CURVE, 16, 5.0)]
    assert layer.name == "lif@fused" and training.name == "lif@fused seed=3"
    steps = {(p.curve.partition(" ")[0], p.step): p.value for p in training.points}
    assert steps == {("accuracy_curve", 1): 0.5, ("accuracy_curve", 2): 0.75, ("accuracy", 100): 0.75}


def test_origins_are_runs_of_their_own() -> None:
    other = [replace(r, environment={"machine": "other"}) for r in SEVERAL]
    assert len({r.name for r in trackers.runs([*SEVERAL, *other])}) == 2


def test_event_files_are_read_back(tmp_path: Path) -> None:
    name = "tensorboard.backend.event_processing.event_accumulator"
    events = pytest.importorskip(name, reason="tensorboard is not installed; it is the extra `tensorboard`")
    records = store.load(RESULTS / "quick.jsonl")
    folder = sb.export(records, "tensorboard", tmp_path / "tb")
    runs = trackers.runs(records)
    assert {p.name for p in folder.iterdir()} == {plain(r.name) for r in runs} and len(runs) > 3
    for run in runs:
        read = events.EventAccumulator(str(folder / plain(run.name))).Reload()
        found = {(tag, e.step): e.value for tag in read.Tags()["scalars"] for e in read.Scalars(tag)}
        assert found == pytest.approx({(p.curve, p.step): p.value for p in run.points}, rel=1e-6)


def test_offline_runs_are_read_back(tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is not installed; it is the extra `wandb`")
    folder = sb.export(SEVERAL, "wandb", tmp_path / "wb")
    (path,) = folder.rglob("run-*.wandb")
    assert logged(path) == [{CURVE: 3.0, "_step": 8}, {CURVE: 5.0, "_step": 16}]


@pytest.mark.parametrize("before", [None, "true"])
def test_nothing_is_sent(before: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for the library: a run is offline, and reports of its errors are off only while it is written."""
    begun: list[tuple[Any, str | None]] = []

    class Library(ModuleType):
        Settings = staticmethod(dict)

        @staticmethod
        @contextmanager
        def init(**given: Any) -> Iterator[Any]:
            begun.append((given["mode"], os.environ.get(trackers.REPORTS)))
            yield SimpleNamespace(log=lambda values, step: None)

    monkeypatch.delenv(trackers.REPORTS, raising=False)
    if before is not None:
        monkeypatch.setenv(trackers.REPORTS, before)
    monkeypatch.setattr(trackers, "find_spec", lambda name: True)
    monkeypatch.setitem(sys.modules, "wandb", Library("wandb"))
    assert trackers.wandb(SEVERAL, tmp_path) == 2
    assert begun == [("offline", "false")] and os.environ.get(trackers.REPORTS) == before


def logged(path: Path) -> list[dict[str, float]]:
    """What a run's file says was logged: blocks of 32 KiB with parts of records, as LevelDB's log has them, after a header of 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record as Theirs  # pyright: ignore[reportMissingImports]  # the extra wandb

    data, place, whole, found = path.read_bytes(), 7, b"", list[dict[str, float]]()
    while place + 7 <= len(data):
        length, kind = struct.unpack_from("<HB", data, place + 4)
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        place += -place % 32768 if -place % 32768 < 7 else 0
        if kind in (1, 4):  # a whole record, or the last part of one
            items = Theirs.FromString(whole).history.item
            found += [{(i.key or i.nested_key[0]): json.loads(i.value_json) for i in items}] if items else []
            whole = b""
    return [{k: v for k, v in row.items() if k in ("_step", CURVE)} for row in found]


@pytest.mark.parametrize("to", ["tensorboard", "wandb"])
def test_without_the_library_it_is_said_what_to_do(to: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    with pytest.raises(Problem, match=f"pip install 'spikebench\\[{to}\\]'"):
        sb.export(SEVERAL, to, tmp_path / "x")
