"""Records as a trace set of FlashInfer-Bench: by its field names, read back, and computing what they say."""

import importlib
import importlib.util
import json
import sys
from dataclasses import asdict, fields, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import spikebench as sb
from spikebench.cases.case import Case
from spikebench.errors import Problem
from spikebench.records import store
from spikebench.records.record import Measurement, Record
from spikebench.report.flashinfer import schema, write
from spikebench.report.flashinfer.read import read

RESULTS = Path(__file__).parents[2] / "results"
# fields of its pydantic models, in flashinfer_bench/data of 40e6ca7
THEIRS = {
    schema.Definition: "name op_type axes inputs outputs reference tags description constraints",
    schema.Tensor: "shape dtype description",
    schema.Axis: "type value description",
    schema.Solution: "name definition author spec sources description",
    schema.Build: "language target_hardware entry_point dependencies destination_passing_style binding",
    schema.Source: "path content",
    schema.Workload: "axes inputs uuid",
    schema.Input: "type value path tensor_key",
    schema.Trace: "definition workload solution evaluation",
    schema.Evaluation: "status environment timestamp log correctness performance",
    schema.Correctness: "max_relative_error max_absolute_error extra",
    schema.Performance: "latency_ms reference_latency_ms speedup_factor",
    schema.Environment: "hardware libs",
}


def records() -> list[Record]:
    """Committed ones of the CPU and of a GPU, and one of each status that a trace can say."""
    found = [
        r for name in ("amd-epyc-f25m1-2c/quick", "nvidia-h200-16c/*") for r in store.load(RESULTS / f"{name}.jsonl")
    ]
    some = next(r for r in found if write.fits(r) and r.gate and r.gate.probes)
    bad = [
        replace(some, run="bad", status=s, reason=f"why: {s}", measurements=[])
        for s in ("wrong", "timeout", "oom", "failed")
    ]
    return [*found, *bad]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("set")
    assert write.write(records(), where) > 50
    return where


def lines(folder: Path, part: str) -> list[dict[str, Any]]:
    return [json.loads(t) for p in sorted((folder / part).rglob("*.jsonl")) for t in p.read_text().splitlines()]


def wholes(folder: Path, part: str) -> list[dict[str, Any]]:
    return [json.loads(p.read_text()) for p in sorted((folder / part).rglob("*.json"))]


def test_its_field_names_are_ours() -> None:
    assert {kind: {f.name for f in fields(kind)} for kind in THEIRS} == {k: set(t.split()) for k, t in THEIRS.items()}


def test_what_it_asks_for_holds(folder: Path) -> None:
    """What its models validate: names that are there once, a `run` in Python, and correctness exactly where it was compared."""
    definitions, solutions, traces = wholes(folder, "definitions"), wholes(folder, "solutions"), lines(folder, "traces")
    names = {d["name"] for d in definitions}
    assert len(names) == len(definitions) and len({s["name"] for s in solutions}) == len(solutions)
    for d in definitions:
        compile(d["reference"], d["name"], "exec")
        assert "\ndef run(" in d["reference"] and not d["inputs"].keys() & d["outputs"].keys()
        assert all(set(t["shape"]) <= d["axes"].keys() for t in [*d["inputs"].values(), *d["outputs"].values()])
    assert {s["definition"] for s in solutions} <= names
    assert all(s["spec"]["entry_point"].partition("::")[0] in {f["path"] for f in s["sources"]} for s in solutions)
    compared = {"PASSED": (True, True), "INCORRECT_NUMERICAL": (True, False)}
    for t in traces:
        e = t["evaluation"]
        assert ("correctness" in e, "performance" in e) == compared.get(e["status"], (False, False))
        assert t["definition"] in names and t["solution"] in {s["name"] for s in solutions}
    assert {"PASSED", "INCORRECT_NUMERICAL", "TIMEOUT", "RUNTIME_ERROR"} == {t["evaluation"]["status"] for t in traces}
    works = {t["workload"]["uuid"]: t["workload"]["axes"] for t in traces}
    assert works == {t["workload"]["uuid"]: t["workload"]["axes"] for t in lines(folder, "workloads")}


def test_the_models_of_the_library_read_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The models alone: importing the whole package takes a GPU's libraries."""
    spec = importlib.util.find_spec("flashinfer_bench")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("flashinfer-bench is not installed: pip install --no-deps flashinfer-bench safetensors")
    package = ModuleType("flashinfer_bench")
    package.__path__ = list(spec.submodule_search_locations)
    monkeypatch.setitem(sys.modules, "flashinfer_bench", package)
    data = importlib.import_module("flashinfer_bench.data.trace_set")
    found = data.TraceSet.from_path(str(folder))
    assert len(found.definitions) == len(wholes(folder, "definitions"))
    assert sum(map(len, found.traces.values())) == len(lines(folder, "traces"))


def test_every_record_comes_back(folder: Path, tmp_path: Path) -> None:
    found, mine = read(folder, tmp_path), [r for r in records() if write.fits(r)]
    assert found.notes == [] and len(found.records) == len(mine)
    compared = [r for r in mine if r.status in ("ok", "wrong")]
    back = [r for r in found.records if r.status in ("ok", "wrong")]
    assert sorted(map(store.line, back)) == sorted(map(store.line, compared))
    rest = [r for r in mine if r not in compared]
    told = {(r.case_id, r.status, r.reason) for r in found.records if r.status not in ("ok", "wrong")}
    assert told == {(r.case_id, r.status, r.reason) for r in rest} and len(told) >= 3


def test_numbers_are_those_of_the_block(tmp_path: Path) -> None:
    def one(subject: str, seconds: list[float], repeat: int) -> Record:
        case = Case(subject, T=8, B=2, N=4)
        return Record(
            "r",
            case.case_id,
            case.to_json(),
            measurements=[Measurement("latency", "s", samples=seconds)],
            repeat=repeat,
        )

    made = [one("lif@eager", [4e-3, 5e-3, 6e-3], 0), one("lif@cpu", [1e-3, 2e-3, 3e-3], 0), one("lif@cpu", [1e-3], 1)]
    assert write.write(made, tmp_path) == 3
    first, second, third = (t["evaluation"]["performance"] for t in lines(tmp_path, "traces"))
    assert first == {"latency_ms": 5.0, "reference_latency_ms": 5.0, "speedup_factor": 1.0}
    assert second == {"latency_ms": 2.0, "reference_latency_ms": 5.0, "speedup_factor": 2.5}
    assert third == {"latency_ms": 1.0, "reference_latency_ms": 0.0, "speedup_factor": 0.0}
    assert {s["author"] for s in wholes(tmp_path, "solutions")} == {"baseline", "spikebench"}


@pytest.mark.parametrize("mode", ["inference", "train"])
def test_definition_and_solution_compute_the_neuron(mode: Any) -> None:
    case = Case("lif[reset=hard]@indexed", T=12, B=2, N=5, mode=mode)
    texts = [write.definition(case).reference, write.solution(case).sources[0].content]
    x = torch.rand(12, 2, 5, generator=torch.Generator().manual_seed(0))
    given = [x] if mode == "inference" else [x, torch.ones_like(x)]
    results = []
    for text in texts:
        space: dict[str, Any] = {}
        exec(compile(text, "main.py", "exec"), space)
        results.append(space["run"](*given))
    spikes, gradients = results, []
    if mode == "train":
        spikes, gradients = zip(*results, strict=True)
    wanted = sb.neuron("lif[reset=hard]", N=5, T=12)(x)
    assert 0 < wanted.mean() < 1
    assert all(torch.equal(found, wanted) for found in spikes)
    if mode == "train":
        assert torch.allclose(*gradients) and gradients[0].abs().sum() > 0


def test_what_others_wrote_becomes_a_subject_and_a_record_that_proves_nothing(tmp_path: Path) -> None:
    case = Case("lif@eager", T=8, B=2, N=4, mode="inference")
    of, work = write.definition(case), write.workload(case)
    text = "import torch\n\ndef go(x):\n    return (x.cumsum(0) > 1).to(x.dtype)\n"
    build = schema.Build("python", ["cpu"], "k.py::go", destination_passing_style=False)
    own = schema.Solution("their-kernel", of.name, "someone", build, [schema.Source("k.py", text)])
    said = schema.Evaluation(
        "PASSED",
        schema.Environment("NVIDIA_B200", {"torch": "2.9"}),
        "2026-04-30T17:34:11",
        "",
        schema.Correctness(0.0, 0.0),
        schema.Performance(0.25, 1.0, 4.0),
    )
    parts = {"definitions/d.json": of, "solutions/s.json": own, "workloads/w.jsonl": schema.Trace(of.name, work)}
    parts["traces/t.jsonl"] = schema.Trace(of.name, work, own.name, said)
    for name, what in parts.items():
        (tmp_path / "set" / name).parent.mkdir(parents=True)
        (tmp_path / "set" / name).write_text(json.dumps(schema.to_json(what)))
    (tmp_path / "set" / "traces" / "torn.jsonl").write_text('{"definition": 3}\n{"defi')
    told: list[str] = []
    (record,) = sb.from_flashinfer(tmp_path / "set", tmp_path / "mine", told.append)
    assert (record.status, record.flags, record.gate) == ("ok", ["ungated"], None)
    assert record.measurements[0].samples == [0.25e-3] and record.environment.get("machine") == "NVIDIA_B200"
    assert store.load(tmp_path / "mine" / "records.jsonl") == [record]
    module = sb.neuron(record.case["subject"], N=4, T=8)
    assert module(torch.full((8, 2, 4), 0.3)).sum(0).unique().tolist() == [5.0]
    assert len(told) == 2 and "definition is not a text" in told[0]


def test_what_cannot_be_read_is_said_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "definitions").mkdir()
    with pytest.raises(Problem, match=r"no definition in .* is a neuron of ours"):
        sb.from_flashinfer(tmp_path, tmp_path / "out")
    gemm = asdict(schema.Definition("gemm", "gemm", {}, {}, {}, "def run(): pass"))
    (tmp_path / "definitions" / "g.json").write_text(json.dumps(gemm))
    with pytest.raises(Problem, match="no definition"):
        sb.from_flashinfer(tmp_path, tmp_path / "out")
    with pytest.raises(Problem, match="no record here can be said to flashinfer-bench"):
        sb.export([], "flashinfer-bench", tmp_path / "none")
